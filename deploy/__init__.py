"""Export, conversion, quantization, pruning, measurement and shipping of trained networks.

``load(path)(image)`` predicts depth with a checkpoint or an exported file.
"""

import sys

try:
    import lightning_app.own_packages  # noqa: F401
except ImportError as error:  # a module of that name which is not ours
    if error.name != "lightning_app.own_packages":
        raise
    other = sys.modules["lightning_app"].__file__
    raise ImportError(f"{other} shadows the package 'lightning_app' of PocketDepth; rename it") from error

from deploy.inference.load import load

__all__ = ["load"]
