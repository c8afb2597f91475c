"""Narrower networks, and sparse ones."""
