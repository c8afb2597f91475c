"""Any weighted sum of losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """Losses and a weight for each; every term keeps its name.

    Args:
        losses: the losses.
        weights: one per loss.

    Raises:
        ValueError: lengths that differ.
    """

    def __init__(self, losses: list[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if len(losses) != len(weights):
            raise ValueError(f"{len(losses)} losses but {len(weights)} weights {list(weights)}")
        self.losses, self.weights = nn.ModuleList(losses), tuple(weights)

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of every loss, unweighted, and the weighted sum."""
        results = [loss(predictions, batch) for loss in self.losses]
        weighted = [weight * result["loss"] for weight, result in zip(self.weights, results, strict=True)]
        terms = {name: term for result in results for name, term in result.items() if name != "loss"}
        return terms | {"loss": torch.stack(weighted).sum()}
