"""Ordinal ranking of pairs of points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses.quantities import inv_depth_of


class OrdinalRanking(nn.Module):
    """Which of two annotated points is farther, as in Depth in the Wild (arXiv 1604.03901): log(1 + exp(-d)), where d
    is by how much the farther one is farther: the log of depth from a metric network, else inverse depth.
    """

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        """The term ``ordinal`` of the finest prediction; a frame without a pair adds 0."""
        pair: Tensor = batch["pair"]  # (B, 5): row and column of A, of B, and the order
        height, width = batch["image"].shape[-2:]
        points = pair[:, :4].view(-1, 1, 2, 2).flip(-1).to(predictions[0].dtype)  # x, y of A and of B
        grid = (points + 0.5) * 2 / points.new_tensor([width, height]) - 1  # (B, 1, 2, 2) in [-1, 1]
        inv_depth = inv_depth_of(predictions[0], batch)
        at_points = F.grid_sample(inv_depth, grid, padding_mode="border", align_corners=False)[:, 0, 0]
        # at_points: (B, 2)
        farness = -at_points.log() if batch.get("predicts", "depth") == "depth" else -at_points
        order = pair[:, 4]  # (B,)
        value = F.softplus(-order * (farness[:, 0] - farness[:, 1]))
        value = torch.where(order != 0, value, 0).mean()
        return {"ordinal": value, "loss": value}
