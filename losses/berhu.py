"""The reverse Huber loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from losses.masked import masked_mean, resize_depth
from losses.quantities import depth_of


class BerHu(nn.Module):
    """The reverse Huber loss of the finest prediction, in metres (arXiv 1606.00373): L1 below a threshold c and
    (e^2 + c^2) / 2c above it, where c is a share of the batch's largest error.

    Args:
        share: that share.

    Raises:
        ValueError: a share that is not in (0, 1].
    """

    def __init__(self, share: float = 0.2) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"share {share} of BerHu is not in (0, 1]")
        self.share = share

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The term ``berhu``; its threshold counts as a constant."""
        depth, valid = batch["depth"], batch["valid"]
        prediction = resize_depth(depth_of(predictions[0], batch), (depth.shape[-2], depth.shape[-1]))  # (B, 1, H, W)
        error = (prediction - depth).where(valid, 0).abs()
        threshold = (self.share * error.detach().amax()).clamp_min(torch.finfo(error.dtype).tiny)  # ()
        beyond = (error.square() + threshold.square()) / (2 * threshold)
        value = masked_mean(torch.where(error <= threshold, error, beyond), valid)
        return {"berhu": value, "loss": value}
