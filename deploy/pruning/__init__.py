"""Structured and unstructured magnitude pruning."""
