"""Number of graph partitions on a phone's accelerator. Does not import torch."""

from __future__ import annotations

import onnx
from onnxruntime.tools.mobile_helpers import usability_checker

_COREML = {"CoreML NeuralNetwork": "neuralnetwork", "CoreML MLProgram": "mlprogram"}


def mobile_partitions(model: onnx.ModelProto) -> dict[str, int]:
    """Count the graph partitions per accelerator API with ONNX Runtime's usability checker.

    Returns:
        Number of partitions by API: 1 is ideal, more means copies between accelerator and CPU, 0 means that no node
        is supported.
    """
    parts = {"NNAPI": usability_checker.check_nnapi_partitions(model, True)}
    for name, kind in _COREML.items():
        parts[name] = usability_checker.check_coreml_partitions(model, True, f"coreml_supported_{kind}_ops.md")
    return {name: part.num_partitions + (0 < part.num_supported_nodes < part.num_nodes) for name, part in parts.items()}
