"""A checkpoint for other runtimes of phones than ONNX Runtime. Each needs an extra of its own."""
