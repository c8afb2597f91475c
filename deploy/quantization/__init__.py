"""Quantization of fp32 ONNX files and quantization-aware training."""

from importlib import import_module
from typing import Any

__all__ = ["FakeQuantize"]


def __getattr__(name: str) -> Any:
    if name != "FakeQuantize":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("deploy.quantization.qat").FakeQuantize
