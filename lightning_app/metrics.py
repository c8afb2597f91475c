"""Depth metrics under a protocol: a functional update and compute, and a thin torchmetrics class."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_app.protocols import Protocol
from losses.masked import resize_depth

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")
COUNTS = ("frames", "missing", "invalid")


def frame_errors(prediction: Tensor, truth: Tensor, protocol: Protocol) -> Tensor | None:
    """Score one frame.

    Args:
        prediction: depth in metres, (h, w), of any size; resized to the truth's bilinearly in inverse depth.
        truth: metres, (H, W), 0 where unknown.
        protocol: which pixels count and how the prediction is aligned.

    Returns:
        The metrics in the order of ``NAMES``, float64; None where no pixel counts.
    """
    mask = protocol.mask(truth)
    if not mask.any():
        return None
    full = resize_depth(prediction[None, None].double(), (truth.shape[0], truth.shape[1]))[0, 0]
    known = truth[mask].double()
    return pixel_errors(protocol.apply(full[mask], known), known)


def pixel_errors(p: Tensor, g: Tensor) -> Tensor:
    """The metrics of predictions p against truths g, both (N,) in metres, in the order of ``NAMES``."""
    error, log_error = p - g, p.log() - g.log()
    ratio = torch.maximum(p / g, g / p)
    return torch.stack(
        [
            (error.abs() / g).mean(),
            (error.square() / g).mean(),
            error.square().mean().sqrt(),
            log_error.square().mean().sqrt(),
            (p.log10() - g.log10()).abs().mean(),
            100 * (log_error.square().mean() - log_error.mean().square()).clamp_min(0).sqrt(),
            *[(ratio < 1.25**k).double().mean() for k in (1, 2, 3)],
        ]
    )


class DepthMetrics(Metric):
    """The mean over frames of each metric under one protocol, with the frames counted and missing.

    A frame is missing where no pixel of its truth counts, and invalid where its prediction is not finite; neither
    enters the mean.
    """

    full_state_update = False
    sums: Tensor
    frames: Tensor
    missing: Tensor
    invalid: Tensor

    def __init__(self, protocol: Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.add_state("sums", torch.zeros(len(NAMES), dtype=torch.float64), dist_reduce_fx="sum")
        for count in COUNTS:
            self.add_state(count, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, batch: dict[str, Any]) -> None:
        """Add a batch: predictions (B, 1, h, w) in metres and a batch of evaluation samples."""
        sizes = batch["full_size"].tolist()
        for depth, truth, (height, width) in zip(prediction, batch["full_depth"], sizes, strict=True):
            errors = frame_errors(depth[0], truth[0, :height, :width], self.protocol)
            if errors is None:
                self.missing += 1
            elif not errors.isfinite().all():
                self.invalid += 1
            else:
                self.sums += errors
                self.frames += 1

    def compute(self) -> dict[str, Tensor]:
        """The metrics by name, ``frames``, ``missing`` and ``invalid``; NaN where no frame counted."""
        means = (self.sums / self.frames).float()
        counts = {name: getattr(self, name).float() for name in COUNTS}
        return dict(zip(NAMES, means, strict=True)) | counts
