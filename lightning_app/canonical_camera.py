"""The canonical camera of Metric3D (arXiv 2307.10984): a metric network learns one focal length, so give it one.

Depth is scaled as if each image had been taken with the canonical focal length, and scaled back after prediction.
"""

from __future__ import annotations

from typing import Any


def canonical_scale(fx: Any, fy: Any, canonical_focal_px: float) -> Any:
    """Metres times this are canonical metres.

    Args:
        fx: focal length along rows, in pixels of what the network sees; a number or a tensor.
        fy: focal length along columns. A resize that changes the aspect ratio makes them differ; their geometric mean
            counts.
        canonical_focal_px: the canonical camera's.
    """
    return canonical_focal_px / (fx * fy) ** 0.5


def to_canonical(batch: dict[str, Any], canonical_focal_px: float | None) -> dict[str, Any]:
    """A batch of samples with depth in canonical metres, as the loss compares it with a network's prediction; metres
    without a canonical camera.
    """
    return batch | {"depth": batch["depth"] * _batch_scale(batch["intrinsics"], canonical_focal_px)}


def from_canonical(prediction: Any, batch: dict[str, Any], canonical_focal_px: float | None) -> Any:
    """A network's prediction of a batch, (B, 1, h, w), in metres of the batch's own cameras."""
    return prediction / _batch_scale(batch["intrinsics"], canonical_focal_px)


def _batch_scale(intrinsics: Any, canonical_focal_px: float | None) -> Any:
    """What metres are multiplied by, (B, 1, 1, 1), for intrinsics (B, 3, 3)."""
    if canonical_focal_px is None:
        return intrinsics.new_ones(len(intrinsics), 1, 1, 1)
    return canonical_scale(intrinsics[:, 0, 0], intrinsics[:, 1, 1], canonical_focal_px).view(-1, 1, 1, 1)
