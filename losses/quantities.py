"""Conversion of predictions and ground truth to depth or inverse depth."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def depth_of(prediction: Tensor, batch: dict[str, Any]) -> Tensor:
    """Return a prediction as depth in metres.

    Raises:
        ValueError: the network predicts inverse depth up to scale and shift.
    """
    if batch.get("predicts", "depth") != "depth":
        raise ValueError(
            "this loss needs depth in metres, but the network predicts inverse depth up to scale and shift: "
            "use losses.ScaleShiftInvariant or losses.L1Gradient"
        )
    return prediction


def inv_depth_of(prediction: Tensor, batch: dict[str, Any]) -> Tensor:
    """Return a prediction as inverse depth: in 1/m if the network predicts depth, else up to scale and shift."""
    return 1 / prediction if batch.get("predicts", "depth") == "depth" else prediction


def true_inv_depth(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Target inverse depth and its mask: the teacher's ``inv_depth`` if the batch has one, else 1 / ``depth``."""
    if "inv_depth" in batch:
        inv_depth: Tensor = batch["inv_depth"]
        return inv_depth, inv_depth > 0
    valid: Tensor = batch["valid"]
    return (1 / batch["depth"].where(valid, 1)).where(valid, 0), valid
