"""Inference with checkpoints, ONNX, LiteRT and ExecuTorch files through one interface."""

from importlib import import_module
from typing import Any

from deploy.inference.load import DepthModel, load

__all__ = ["DepthModel", "OnnxModule", "Teacher", "load"]

_NEEDS_TORCH = {"OnnxModule": "deploy.inference.onnx_module", "Teacher": "deploy.inference.teacher"}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NEEDS_TORCH[name]), name)
