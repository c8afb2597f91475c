"""Export, conversion, quantization, pruning, measurement and shipping of trained networks.

``load(path)(image)`` predicts depth with a checkpoint or an exported file.
"""

from importlib import import_module
from typing import Any

from deploy.inference.load import load

__all__ = ["evaluate", "export_onnx", "load", "quantize"]

_IMPORTED_WHEN_USED = {
    "evaluate": ("deploy.inference.evaluate", "evaluate"),
    "export_onnx": ("deploy.export.export", "export"),
    "quantize": ("deploy.quantization.quantize", "quantize"),
}


def __getattr__(name: str) -> Any:
    if name not in _IMPORTED_WHEN_USED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _IMPORTED_WHEN_USED[name]
    return getattr(import_module(module), function)
