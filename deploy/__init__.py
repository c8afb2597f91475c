"""Checkpoint -> ONNX -> int8 -> numbers -> phone.

``load(path)(image)`` runs a checkpoint or an ONNX file alike.
"""

from deploy.inference.load import load

__all__ = ["load"]
