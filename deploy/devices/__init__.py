"""Checks for phones: what needs no device, and latency budgets against what was measured."""
