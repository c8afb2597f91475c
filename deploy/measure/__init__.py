"""Measurements of model files: MACs, latency, memory, agreement with a reference. Does not import torch."""
