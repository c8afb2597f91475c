"""Scale-invariant log loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from losses.masked import resize_depth
from losses.quantities import depth_of


class SILog(nn.Module):
    """Root of the mean squared log error less a share of the squared mean log error (arXiv 1406.2283, 1907.10326).

    Args:
        variance_focus: that share; 0 is the plain log error, 1 forgives any global scale.

    Raises:
        ValueError: a share outside [0, 1].
    """

    def __init__(self, variance_focus: float = 0.85) -> None:
        super().__init__()
        if not 0 <= variance_focus <= 1:
            raise ValueError(f"variance_focus {variance_focus} is not in [0, 1]")
        self.variance_focus = variance_focus

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of the finest prediction, brought to the truth's size, per image, then averaged."""
        depth, valid = batch["depth"], batch["valid"]
        prediction = resize_depth(depth_of(predictions[0], batch), (depth.shape[-2], depth.shape[-1]))  # (B, 1, H, W)
        error = (prediction.log() - depth.where(valid, 1).log()).where(valid, 0)
        count = valid.sum((1, 2, 3)).clamp_min(1)  # (B,), as all below
        mean = error.sum((1, 2, 3)) / count
        mean_square = error.square().sum((1, 2, 3)) / count
        # The root has no gradient at 0, where a frame is perfect or empty.
        value = mean_square - self.variance_focus * mean.square()
        root = torch.sqrt(value.clamp_min(1e-12)).where(value > 1e-12, 0).mean()
        return {"silog": root, "loss": root}
