"""Export, conversion, quantization, pruning, measurement and shipping of trained networks.

``load(path)(image)`` predicts depth with a checkpoint or an exported file.
"""

import sys
from importlib import import_module
from typing import Any

try:
    import lightning_app.own_packages  # noqa: F401
except ImportError as error:  # a module of that name which is not ours
    if error.name != "lightning_app.own_packages":
        raise
    other = sys.modules["lightning_app"].__file__
    raise ImportError(f"{other} shadows the package 'lightning_app' of PocketDepth; rename it") from error

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
