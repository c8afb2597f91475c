"""Export of checkpoints to ONNX, with fp16, .ort and camera variants and a model card."""
