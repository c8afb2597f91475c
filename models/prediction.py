"""Conversion of logits to predictions, and initialisation of layers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

Predicts = Literal["depth", "inverse_depth"]


class Prediction(nn.Module):
    """Convert logits to depth in metres, or to inverse depth up to scale and shift.

    Depth is the inverse of 1/max + (1/min - 1/max) sigmoid(x), where x is the logit, as in monodepth2
    (arXiv 1806.01260). It is bounded and has the finest resolution at near surfaces. Inverse depth is the logit itself.

    Args:
        predicts: ``depth`` or ``inverse_depth``.
        min_depth: minimum predicted depth in metres.
        max_depth: maximum predicted depth in metres.

    Raises:
        ValueError: the depth bounds are not ascending.
    """

    one: Tensor

    def __init__(self, predicts: Predicts, min_depth: float, max_depth: float) -> None:
        super().__init__()
        if not 0 < min_depth < max_depth:
            raise ValueError(f"min_depth {min_depth} and max_depth {max_depth} are not 0 < min_depth < max_depth")
        self.predicts, self.min_depth, self.max_depth = predicts, min_depth, max_depth
        # `1 / x` would be exported as Reciprocal, which Android's NNAPI does not support. `one / x` is exported as Div.
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, logit: Tensor) -> Tensor:
        """Logits, (B, 1, h, w) -> predictions, (B, 1, h, w)."""
        if self.predicts == "inverse_depth":
            return logit
        far, near = 1 / self.max_depth, 1 / self.min_depth
        return self.one / (far + (near - far) * torch.sigmoid(logit))

    def initialise(self, layers: nn.Module, heads: Iterable[nn.Module], slope: float = 0.0) -> None:
        """Initialise the weights of a network.

        Args:
            layers: module whose convolutions get He initialisation (arXiv 1502.01852).
            heads: last convolutions. Their bias is set so that the initial prediction is the geometric mean of the
                depth bounds, or inverse depth 0.5.
            slope: negative slope of the ReLUs of ``layers``.
        """
        for module in layers.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, slope, nonlinearity="leaky_relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        far, near = 1 / self.max_depth, 1 / self.min_depth
        share = (math.sqrt(far * near) - far) / (near - far)
        start = math.log(share / (1 - share)) if self.predicts == "depth" else 0.5
        for head in heads:
            assert isinstance(head, nn.Conv2d | nn.ConvTranspose2d)
            assert head.bias is not None
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, start)


def check_multiple(size: tuple[int, int], stride: int, name: str) -> None:
    """Raise ValueError, with the nearest valid size, if (height, width) is not a multiple of the stride."""
    if any(side % stride or side < stride for side in size):
        height, width = (max(stride, stride * round(side / stride)) for side in size)
        raise ValueError(
            f"size {size[0]}x{size[1]} (height x width) is not a multiple of {name}'s stride {stride}; "
            f"the nearest valid size is {height}x{width}"
        )
