"""Checkpoint -> ONNX, with its fp16, .ort and camera variants and its model card."""
