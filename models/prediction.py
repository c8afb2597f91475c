"""From a network's logits to what it predicts, and how its layers start."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

Predicts = Literal["depth", "inverse_depth"]


class Prediction(nn.Module):
    """Logits -> depth in metres, or inverse depth up to scale and shift, which is the logit itself.

    A logit x gives the inverse depth 1/max + (1/min - 1/max) sigmoid(x), so that depth is bounded and near surfaces get
    the finest steps (as in monodepth2, arXiv 1806.01260).

    Args:
        predicts: which of the two.
        min_depth: nearest depth that can be predicted, in metres.
        max_depth: farthest depth that can be predicted, in metres.

    Raises:
        ValueError: bounds in the wrong order.
    """

    one: Tensor

    def __init__(self, predicts: Predicts, min_depth: float, max_depth: float) -> None:
        super().__init__()
        if not 0 < min_depth < max_depth:
            raise ValueError(f"min_depth {min_depth} and max_depth {max_depth} are not 0 < min_depth < max_depth")
        self.predicts, self.min_depth, self.max_depth = predicts, min_depth, max_depth
        # 1 / x would export as Reciprocal, which Android's NNAPI does not know; this exports as Div.
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, logit: Tensor) -> Tensor:
        """(B, 1, h, w), of both."""
        if self.predicts == "inverse_depth":
            return logit
        far, near = 1 / self.max_depth, 1 / self.min_depth
        return self.one / (far + (near - far) * torch.sigmoid(logit))

    def initialise(self, layers: nn.Module, heads: Iterable[nn.Module], slope: float = 0.0) -> None:
        """He initialisation of ``layers``, whose ReLUs have this negative slope (arXiv 1502.01852); every head starts
        at the geometric mean of the depth bounds, or at inverse depth 0.5.
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
    """Raise ValueError, naming the nearest legal size, where the stride does not divide (height, width)."""
    if any(side % stride or side < stride for side in size):
        height, width = (max(stride, stride * round(side / stride)) for side in size)
        raise ValueError(
            f"size {size[0]}x{size[1]} (height x width) is not a multiple of {name}'s stride {stride}; "
            f"the nearest that is: {height}x{width}"
        )
