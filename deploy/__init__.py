"""Export, conversion, quantization, pruning, measurement and shipping of trained networks.

``load(path)(image)`` predicts depth with a checkpoint or an exported file.
"""

from deploy.inference.load import load

__all__ = ["load"]
