"""Comparison of files and networks with each other and with published networks."""
