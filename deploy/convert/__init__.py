"""Conversion of checkpoints to phone runtimes other than ONNX Runtime. Each converter needs an optional extra."""
