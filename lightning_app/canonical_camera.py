"""Canonical camera of Metric3D (arXiv 2307.10984), for metric depth from images of different focal lengths.

The training depth is scaled to a single, canonical focal length. Predictions are scaled back to each image's camera.
"""

from __future__ import annotations

from typing import Any


def canonical_scale(fx: Any, fy: Any, canonical_focal_px: float) -> Any:
    """Factor that converts depth in metres to canonical metres.

    Args:
        fx: horizontal focal length, in pixels of the network's input; a number or a tensor.
        fy: vertical focal length, likewise. The geometric mean of both is used, as a resize that changes the aspect
            ratio makes them differ.
        canonical_focal_px: focal length of the canonical camera, in pixels.
    """
    return canonical_focal_px / (fx * fy) ** 0.5


def to_canonical(batch: dict[str, Any], canonical_focal_px: float | None) -> dict[str, Any]:
    """Convert depth and poses of a batch from metres to canonical metres, the unit of the network's predictions.

    Args:
        batch: samples with ``depth`` (B, 1, H, W) and, for a canonical camera, ``intrinsics`` (B, 3, 3); with
            neighbours, ``poses`` (B, N, 4, 4).
        canonical_focal_px: focal length of the canonical camera, in pixels; None leaves the depth in metres.
    """
    if canonical_focal_px is None:
        return batch
    scale = _batch_scale(batch["intrinsics"], canonical_focal_px)
    scaled = {"depth": batch["depth"] * scale}
    if "poses" in batch:
        scaled["poses"] = batch["poses"].clone()
        scaled["poses"][..., :3, 3] *= scale[..., 0]
    return batch | scaled


def from_canonical(prediction: Any, batch: dict[str, Any], canonical_focal_px: float | None) -> Any:
    """Convert predictions from canonical metres to metres of each image's camera.

    Args:
        prediction: (B, 1, h, w).
        batch: samples with ``intrinsics`` (B, 3, 3) for a canonical camera.
        canonical_focal_px: focal length of the canonical camera, in pixels; None leaves the prediction unchanged.
    """
    if canonical_focal_px is None:
        return prediction
    return prediction / _batch_scale(batch["intrinsics"], canonical_focal_px)


def _batch_scale(intrinsics: Any, canonical_focal_px: float) -> Any:
    """Scale factor of each image, (B, 1, 1, 1), for intrinsics (B, 3, 3)."""
    return canonical_scale(intrinsics[:, 0, 0], intrinsics[:, 1, 1], canonical_focal_px).view(-1, 1, 1, 1)
