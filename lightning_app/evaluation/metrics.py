"""Depth metrics under a protocol: a functional update and compute, and a thin torchmetrics class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_app.evaluation.protocols import AnyProtocol, OrdinalProtocol, Protocol

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")
ORDINAL_NAMES = ("whdr",)
COUNTS = ("frames", "missing", "invalid")


def frame_errors(
    prediction: Tensor,
    truth: Tensor,
    protocol: Protocol,
    predicts: str = "depth",
    box: Sequence[int] | None = None,
) -> Tensor | None:
    """Score one frame.

    Args:
        prediction: (h, w), of any size; brought to the truth's as the protocol says.
        truth: metres, (H, W), 0 where unknown.
        protocol: which pixels count and how the prediction is aligned.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        box: top, bottom, left and right of what the prediction shows of the truth; all of it if left out.

    Returns:
        The metrics in the order of ``NAMES``, float64, (1 + ranges, metrics): of all pixels that count, then of those
        in each range of the protocol, NaN in one without a pixel; None where no pixel counts at all.
    """
    mask = protocol.mask(truth)
    if not mask.any():
        return None
    inverse = protocol.to_truth(_inverse(prediction, predicts), truth, box or (0, truth.shape[0], 0, truth.shape[1]))
    g = truth[mask].double()
    p = protocol.apply(inverse[mask], g)
    bounds = [(low, high) for low, high in protocol.ranges]
    parts = [(g > low) & (g <= high) for low, high in bounds]
    return torch.stack([pixel_errors(p, g), *(pixel_errors(p[part], g[part]) for part in parts)])


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
    """The mean over frames of each metric under one protocol, with the frames counted, missing and invalid.

    A frame is missing where no pixel of its truth counts, and invalid where its prediction cannot be aligned or is not
    finite; neither enters the mean. A frame whose truth the protocol is not defined on is no frame of it.

    Args:
        protocol: how a frame is scored.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
    """

    full_state_update = False
    sums: Tensor
    range_frames: Tensor
    frames: Tensor
    missing: Tensor
    invalid: Tensor

    def __init__(self, protocol: AnyProtocol, predicts: str = "depth") -> None:
        super().__init__()
        self.protocol, self.predicts = protocol, predicts
        self.names = ORDINAL_NAMES if isinstance(protocol, OrdinalProtocol) else NAMES
        rows = 1 + len(protocol.ranges)
        self.add_state("sums", torch.zeros(rows, len(self.names), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("range_frames", torch.zeros(rows, dtype=torch.int64), dist_reduce_fx="sum")
        for count in COUNTS:
            self.add_state(count, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, batch: dict[str, Any]) -> None:
        """Add a batch: predictions (B, 1, h, w), and evaluation samples in a batch."""
        for index, depth in enumerate(prediction):
            if batch["truth"][index] not in self.protocol.truths or batch["view"][index] != self.protocol.view:
                continue
            errors = self._errors(depth[0], batch, index)
            if errors is None:
                self.missing += 1
            elif not errors[0].isfinite().all():
                self.invalid += 1
            else:
                counted = errors.isfinite().all(1)
                self.sums += errors.where(counted[:, None], 0)
                self.range_frames += counted
                self.frames += 1

    def compute(self) -> dict[str, Tensor]:
        """The metrics by name, those of a range as ``0-20m/abs_rel``, then ``frames``, ``missing`` and ``invalid``; NaN
        where no frame counted.
        """
        prefixes = ["", *(f"{low:.0f}-{high:.0f}m/" for low, high in self.protocol.ranges)]
        means = (self.sums / self.range_frames[:, None]).float()
        metrics = {
            prefix + name: value
            for prefix, row in zip(prefixes, means, strict=True)
            for name, value in zip(self.names, row, strict=True)
        }
        return metrics | {name: getattr(self, name).float() for name in COUNTS}

    def _errors(self, depth: Tensor, batch: dict[str, Any], index: int) -> Tensor | None:
        height, width = batch["full_size"][index].tolist()
        if isinstance(self.protocol, OrdinalProtocol):
            pair = batch["full_pair"][index]
            if not pair[-1]:
                return None
            return self.protocol.wrong(_inverse(depth, self.predicts), (height, width), pair).reshape(1, 1)
        truth = batch["full_depth"][index, 0, :height, :width]
        return frame_errors(depth, truth, self.protocol, self.predicts, batch["box"][index].tolist())


def _inverse(prediction: Tensor, predicts: str) -> Tensor:
    return prediction.double() if predicts == "inverse_depth" else 1 / prediction.double()
