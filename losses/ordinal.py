"""Ranking loss of ordinal pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses.quantities import inv_depth_of


class OrdinalRanking(nn.Module):
    """Ranking loss of ordinal pairs, as in Depth in the Wild (arXiv 1604.03901): log(1 + exp(-d)).

    d is the predicted distance of the farther point minus that of the nearer point. Distance is log depth for networks
    that predict depth, and negative inverse depth otherwise.
    """

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return the term ``ordinal`` of the finest prediction. A frame without a pair contributes 0."""
        pair: Tensor = batch["pair"]  # (B, 5): row and column of A, row and column of B, order
        height, width = batch["image"].shape[-2:]
        points = pair[:, :4].view(-1, 1, 2, 2).flip(-1).to(predictions[0].dtype)  # (B, 1, 2, 2): x, y of A and of B
        grid = (points + 0.5) * 2 / points.new_tensor([width, height]) - 1  # (B, 1, 2, 2) in [-1, 1]
        inv_depth = inv_depth_of(predictions[0], batch)
        # (B, 1, 1, 2) -> (B, 2)
        at_points = F.grid_sample(inv_depth, grid, padding_mode="border", align_corners=False)[:, 0, 0]
        farness = -at_points.log() if batch.get("predicts", "depth") == "depth" else -at_points
        order = pair[:, 4]  # (B,)
        value = F.softplus(-order * (farness[:, 0] - farness[:, 1]))
        value = torch.where(order != 0, value, 0).mean()
        return {"ordinal": value, "loss": value}
