"""The stylizer's loss: keep what stands in the picture, take the look."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ContentStyle(nn.Module):
    """Content and style losses on an encoder's features (arXiv 1703.06868).

    The content loss compares the deepest features of the stylised image with what the decoder was asked to paint; the
    style losses compare mean and standard deviation of each channel with what they should be, at every level. The
    image itself is the first of them: the paper's VGG keeps colours in its first features, but an encoder that was
    trained on augmented colours forgets them. Each loss is relative to how strongly features should vary at its level,
    so that the weights mean the same for every encoder.

    Args:
        content: weight of the content loss.
        style: weight of the sum of the style losses.

    Raises:
        ValueError: a negative weight.
    """

    def __init__(self, content: float = 1.0, style: float = 1.0) -> None:
        super().__init__()
        if content < 0 or style < 0:
            raise ValueError(f"weights {content} and {style} must not be negative")
        self.content, self.style = content, style

    def forward(self, stylised: Sequence[Tensor], target: Tensor, statistics: Sequence[Tensor]) -> dict[str, Tensor]:
        """The terms ``content`` and ``style``, and the weighted sum under ``loss``.

        Args:
            stylised: the stylised images and their features, finest first, each (N, C, h, w).
            target: the features that the decoder was given, of the deepest level.
            statistics: mean and standard deviation of each channel that each level should have, each (N, 2, C).
        """
        content = (stylised[-1] - target).square().mean() / _spread(statistics[-1])
        style = torch.stack([_style(*level) for level in zip(stylised, statistics, strict=True)]).sum()
        return {"content": content, "style": style, "loss": self.content * content + self.style * style}


def _style(features: Tensor, statistics: Tensor) -> Tensor:
    """Squared differences of the channels' means and standard deviations."""
    variance, mean = torch.var_mean(features, dim=(-2, -1), correction=0)  # (N, C) each
    std = (variance + 1e-5).sqrt()  # the root has no gradient at 0
    differences = (mean - statistics[:, 0]).square() + (std - statistics[:, 1]).square()
    return differences.mean() / _spread(statistics)


def _spread(statistics: Tensor) -> Tensor:
    """Variance within the images, averaged over images and channels."""
    return statistics[:, 1].square().mean().clamp_min(1e-6)
