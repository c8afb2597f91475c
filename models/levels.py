"""Building blocks of decoders. A level doubles the size and may merge the encoder feature map of that size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from models.encoder import FeatureInfo

Skips = Literal["add", "concat"]


def decoder_levels(
    features: Sequence[FeatureInfo], output_stride: int, widths: Sequence[int], heads: int, finest_skip: int = 1
) -> list[tuple[int, int]]:
    """Compute the levels of a decoder.

    Returns:
        (width, channels of the skip connection or 0) of each level, deepest first.

    Raises:
        ValueError: ``output_stride``, ``widths`` or ``heads`` does not match the feature maps.
    """
    skips = {feature.stride: feature.channels for feature in features if feature.stride >= finest_skip}
    strides = []
    stride = features[-1].stride // 2
    while stride >= output_stride:
        strides.append(stride)
        stride //= 2
    if not strides or strides[-1] != output_stride:
        raise ValueError(f"output_stride {output_stride} is not a power of two below {features[-1].stride}")
    if len(widths) < len(strides):
        raise ValueError(
            f"output_stride {output_stride} needs {len(strides)} widths, but {list(widths)} has {len(widths)}"
        )
    if not 1 <= heads <= len(strides):
        raise ValueError(f"heads {heads} is not between 1 and {len(strides)}, the number of levels of the decoder")
    return [(width, skips.get(stride, 0)) for width, stride in zip(widths, strides, strict=False)]


def run_levels(features: Sequence[Tensor], strides: Sequence[int], levels: nn.ModuleList) -> list[Tensor]:
    """Outputs of all levels, deepest first."""
    skips = dict(zip(strides, features, strict=True))
    stride, x, outputs = strides[-1], features[-1], []
    for level in levels:
        stride //= 2
        x = level(x, skips.get(stride))  # (B, width, H/stride, W/stride)
        outputs.append(x)
    return outputs


class Join(nn.Module):
    """Merge a skip connection by addition after a 1x1 convolution, or by concatenation. Identity without a skip."""

    def __init__(self, width: int, skip: int, skips: Skips) -> None:
        super().__init__()
        self.joins, self.concat = skip > 0, skips == "concat"
        self.project = nn.Conv2d(skip, width, 1) if skip and not self.concat else nn.Identity()
        self.channels = width + skip if self.concat else width

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        if skip is None or not self.joins:
            return x
        # (B, width + skip, h, w), or (B, width, h, w)
        return torch.cat([x, skip], dim=1) if self.concat else x + self.project(skip)


def conv_bn_relu(channels: int, width: int, kernel: int, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
