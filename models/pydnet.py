"""PyDNet, the network of the paper, as published."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.contract import DepthNetwork
from models.prediction import Prediction, Predicts, check_multiple

log = logging.getLogger(__name__)
SLOPE = 0.2


class PyDNet(DepthNetwork):
    """PyDNet (arXiv 1806.11430) in its variant for phones (arXiv 2006.05724).

    The encoder is a pyramid of six levels. At each level an estimator outputs eight channels, from which depth is
    predicted and which are upsampled for the next finer level. The prediction has half the size of the input.

    Args:
        heads: number of the finest levels that predict during training. The finest one is exported.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        min_depth: minimum predicted depth in metres.
        max_depth: maximum predicted depth in metres.

    Raises:
        ValueError: the depth bounds are not ascending, or ``heads`` is not between 1 and 6.
    """

    def __init__(
        self, heads: int = 1, predicts: Predicts = "depth", min_depth: float = 1.0, max_depth: float = 100.0
    ) -> None:
        super().__init__()
        widths = (16, 32, 64, 96, 128, 192)
        if not 1 <= heads <= len(widths):
            raise ValueError(f"heads {heads} is not between 1 and PyDNet's {len(widths)} levels")
        self.prediction = Prediction(predicts, min_depth, max_depth)
        self.predicts = predicts
        self.levels = nn.ModuleList(
            nn.Sequential(*_convolution(channels, width, 2), *_convolution(width, width))
            for channels, width in zip((3, *widths), widths, strict=False)
        )
        self.estimators = nn.ModuleList(_estimator(width + 8 * (width != widths[-1])) for width in widths)
        self.upsamplings = nn.ModuleList(_Upsampling() for _ in widths[1:])
        self.heads = nn.ModuleList(nn.Conv2d(8, 1, 3, padding=1) for _ in range(heads))
        self.prediction.initialise(self, self.heads, SLOPE)

    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> prediction, (B, 1, H/2, W/2)."""
        return self.multiscale(image)[0]

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """Predictions of all heads, finest first."""
        features, x = [], image
        for level in self.levels:
            x = level(x)  # level i, from 1: (B, width, H/2^i, W/2^i)
            features.append(x)
        estimates = self._estimate(features)  # level i: (B, 8, H/2^i, W/2^i)
        return tuple(self.prediction(head(x)) for head, x in zip(self.heads, estimates, strict=False))

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError, with the nearest valid size, if (height, width) is not a multiple of 64."""
        check_multiple(size, 64, "PyDNet")

    def load_pretrained(self) -> None:
        """Do nothing: no ImageNet weights exist for PyDNet."""
        log.info("PyDNet: random weights")

    def _estimate(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Outputs of all estimators, finest first."""
        x = self.estimators[-1](features[-1])  # (B, 192, H/64, W/64) -> (B, 8, H/64, W/64)
        estimates = [x]
        for feature, estimator, upsampling in zip(
            features[-2::-1], self.estimators[-2::-1], self.upsamplings[::-1], strict=True
        ):
            # (B, width, 2h, 2w) and (B, 8, 2h, 2w) -> (B, 8, 2h, 2w)
            x = estimator(torch.cat([feature, upsampling(x)], dim=1))
            estimates.append(x)
        return estimates[::-1]


class _Upsampling(nn.Module):
    """Bilinear upsampling, then a 2x2 convolution of a pixel and its neighbours to the right and below."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(8, 8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)  # (B, 8, 2h, 2w)
        # Pad to (B, 8, 2h + 1, 2w + 1): the 2x2 convolution removes one row and one column.
        return F.leaky_relu(self.convolution(F.pad(x, (0, 1, 0, 1))), SLOPE)


def _convolution(channels: int, width: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, stride, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]


def _estimator(channels: int) -> nn.Sequential:
    widths = (channels, 96, 64, 32, 8)
    return nn.Sequential(*(layer for channels, width in pairwise(widths) for layer in _convolution(channels, width)))
