"""Reverse Huber loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from losses.masked import masked_mean, resize_depth
from losses.quantities import depth_of


class BerHu(nn.Module):
    """Reverse Huber loss of the finest prediction, in metres (arXiv 1606.00373).

    For an error e it is |e| up to a threshold c, and (e^2 + c^2) / 2c above it. c is ``share`` times the largest error
    in the batch.

    Args:
        share: ratio of the threshold to the largest error, in (0, 1].

    Raises:
        ValueError: ``share`` is not in (0, 1].
    """

    def __init__(self, share: float = 0.2) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"share {share} of BerHu is not in (0, 1]")
        self.share = share

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the term ``berhu``. No gradient flows through the threshold."""
        depth, valid = batch["depth"], batch["valid"]
        prediction = resize_depth(depth_of(predictions[0], batch), (depth.shape[-2], depth.shape[-1]))  # (B, 1, H, W)
        error = (prediction - depth).where(valid, 0).abs()
        threshold = (self.share * error.detach().amax()).clamp_min(torch.finfo(error.dtype).tiny)  # ()
        beyond = (error.square() + threshold.square()) / (2 * threshold)
        value = masked_mean(torch.where(error <= threshold, error, beyond), valid)
        return {"berhu": value, "loss": value}
