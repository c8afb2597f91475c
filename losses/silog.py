"""Scale-invariant log loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from losses.masked import resize_depth
from losses.quantities import depth_of


class SILog(nn.Module):
    """Scale-invariant log loss: sqrt(mean(d^2) - variance_focus mean(d)^2), where d is the difference of log depth.

    Sources: arXiv 1406.2283, arXiv 1907.10326.

    Args:
        variance_focus: 0 is the RMS log error, 1 is invariant to a global scale.

    Raises:
        ValueError: ``variance_focus`` is outside [0, 1].
    """

    def __init__(self, variance_focus: float = 0.85) -> None:
        super().__init__()
        if not 0 <= variance_focus <= 1:
            raise ValueError(f"variance_focus {variance_focus} is not in [0, 1]")
        self.variance_focus = variance_focus

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the term ``silog`` of the finest prediction, resized to the ground truth."""
        depth, valid = batch["depth"], batch["valid"]
        prediction = resize_depth(depth_of(predictions[0], batch), (depth.shape[-2], depth.shape[-1]))  # (B, 1, H, W)
        error = (prediction.log() - depth.where(valid, 1).log()).where(valid, 0)
        count = valid.sum((1, 2, 3)).clamp_min(1)  # (B,), also the shape of the values below
        mean = error.sum((1, 2, 3)) / count
        mean_square = error.square().sum((1, 2, 3)) / count
        # The gradient of the square root is infinite at 0, which occurs for exact predictions and empty masks.
        value = mean_square - self.variance_focus * mean.square()
        root = torch.sqrt(value.clamp_min(1e-12)).where(value > 1e-12, 0).mean()
        return {"silog": root, "loss": root}
