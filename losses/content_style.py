"""Content and style loss of stylizers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ContentStyle(nn.Module):
    """Content and style losses on the features of an encoder (arXiv 1703.06868).

    The content loss compares the deepest features of the stylised image with the input of the decoder. The style losses
    compare mean and standard deviation of each channel with their targets at every level. The image itself is the first
    level. The paper's VGG preserves colours in its first features, but an encoder trained with colour augmentation does
    not. Each loss is divided by the target variance of its level, so that weights are comparable between encoders.

    Args:
        content: weight of the content loss.
        style: weight of the sum of the style losses.

    Raises:
        ValueError: a weight is negative.
    """

    def __init__(self, content: float = 1.0, style: float = 1.0) -> None:
        super().__init__()
        if content < 0 or style < 0:
            raise ValueError(f"weights {content} and {style} must not be negative")
        self.content, self.style = content, style

    def forward(self, stylised: Sequence[Tensor], target: Tensor, statistics: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return the terms ``content`` and ``style``, and their weighted sum under ``loss``.

        Args:
            stylised: stylised images and their features, finest first, each (N, C, h, w).
            target: input of the decoder, features of the deepest level, (N, C, h, w).
            statistics: target mean and standard deviation of each channel, one (N, 2, C) per level.
        """
        content = (stylised[-1] - target).square().mean() / _spread(statistics[-1])
        style = torch.stack([_style(*level) for level in zip(stylised, statistics, strict=True)]).sum()
        return {"content": content, "style": style, "loss": self.content * content + self.style * style}


def _style(features: Tensor, statistics: Tensor) -> Tensor:
    """Squared differences of channel means and standard deviations from their targets, normalised."""
    variance, mean = torch.var_mean(features, dim=(-2, -1), correction=0)  # (N, C) each
    std = (variance + 1e-5).sqrt()  # the gradient of the square root is infinite at 0
    differences = (mean - statistics[:, 0]).square() + (std - statistics[:, 1]).square()
    return differences.mean() / _spread(statistics)


def _spread(statistics: Tensor) -> Tensor:
    """Spatial variance, averaged over images and channels."""
    return statistics[:, 1].square().mean().clamp_min(1e-6)
