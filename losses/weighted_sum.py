"""Weighted sum of losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """Weighted sum of several losses. Terms keep their names.

    Args:
        losses: losses to add.
        weights: weight of each loss.

    Raises:
        ValueError: ``losses`` and ``weights`` differ in length.
    """

    def __init__(self, losses: list[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if len(losses) != len(weights):
            raise ValueError(f"{len(losses)} losses but {len(weights)} weights {list(weights)}")
        self.losses, self.weights = nn.ModuleList(losses), tuple(weights)

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the unweighted terms of all losses, and the weighted sum under ``loss``."""
        results = [loss(predictions, batch) for loss in self.losses]
        weighted = [weight * result["loss"] for weight, result in zip(self.weights, results, strict=True)]
        terms = {name: term for result in results for name, term in result.items() if name != "loss"}
        return terms | {"loss": torch.stack(weighted).sum()}
