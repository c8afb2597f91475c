"""Depth or inverse depth: what a network predicts, and what a loss compares."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def depth_of(prediction: Tensor, batch: dict[str, Any]) -> Tensor:
    """A prediction as depth in metres.

    Raises:
        ValueError: the network predicts inverse depth up to scale and shift, which has no metres.
    """
    if batch.get("predicts", "depth") != "depth":
        raise ValueError(
            "this loss compares metres, but the network predicts inverse depth up to scale and shift: "
            "take losses.ScaleShiftInvariant or losses.L1Gradient"
        )
    return prediction


def inv_depth_of(prediction: Tensor, batch: dict[str, Any]) -> Tensor:
    """A prediction as inverse depth: in 1/m from a metric network, else up to scale and shift."""
    return 1 / prediction if batch.get("predicts", "depth") == "depth" else prediction


def true_inv_depth(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The inverse depth to learn and where it is known: a teacher's, if the batch has one, else that of the depth."""
    if "inv_depth" in batch:
        inv_depth: Tensor = batch["inv_depth"]
        return inv_depth, inv_depth > 0
    valid: Tensor = batch["valid"]
    return (1 / batch["depth"].where(valid, 1)).where(valid, 0), valid
