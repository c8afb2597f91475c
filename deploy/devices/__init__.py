"""Checks of files for phones: static checks that need no device, and measured latencies against budgets."""
