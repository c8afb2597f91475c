"""Measurements of one file: MACs, latency, memory, agreement with a reference. No torch."""
