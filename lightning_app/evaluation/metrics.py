"""Depth metrics under a protocol: errors of a frame, their mean over frames, and a torchmetrics class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_app.evaluation.edges import EdgeProtocol
from lightning_app.evaluation.protocols import AnyProtocol, OrdinalProtocol, Protocol

NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")
ORDINAL_NAMES = ("whdr",)
EDGE_NAMES = ("abs_rel", "edge_accuracy_px", "edge_completeness_px")
COUNTS = ("frames", "missing", "invalid")

FrameErrors = Tensor | Literal["missing", "invalid"]
"""Metrics of a frame, float64, (1 + ranges, metrics), as returned by :func:`frame_errors`.

``missing``: no valid pixel in the ground truth, or no prediction. ``invalid``: the prediction cannot be aligned, or is
not finite or not a depth at an evaluated pixel, see :func:`why_invalid`."""

ASPECT_TOLERANCE = 0.1  # sizes of networks are multiples of 32: 128x416 and 320x1024 for KITTI's 375x1242


def frame_errors(
    prediction: Tensor,
    truth: Tensor,
    protocol: Protocol,
    predicts: str = "depth",
    box: Sequence[int] | None = None,
) -> Tensor | None:
    """Compute the metrics of one frame.

    Args:
        prediction: (h, w), any size; resized to the ground truth as defined by the protocol.
        truth: ground truth in metres, (H, W), 0 where unknown.
        protocol: evaluation protocol.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        box: top, bottom, left and right of the region of the ground truth that the prediction covers; None for all of
            it.

    Returns:
        Metrics in the order of ``NAMES``, float64, (1 + ranges, metrics). The first row is for all valid pixels, the
        others for each depth range of the protocol, with NaN for a range without pixels. The first row is NaN if the
        prediction is unusable at a valid pixel or cannot be aligned. None if no pixel is valid.
    """
    mask = protocol.mask(truth)
    if not mask.any():
        return None
    inverse = _inverse(prediction, predicts, protocol)
    inverse = protocol.to_truth(inverse, truth, box or (0, truth.shape[0], 0, truth.shape[1]))
    g = truth[mask].double()
    p = protocol.apply(inverse[mask], g)
    parts = [(g > low) & (g <= high) for low, high in protocol.ranges]
    return torch.stack([pixel_errors(p, g), *(pixel_errors(p[part], g[part]) for part in parts)])


def pixel_errors(p: Tensor, g: Tensor) -> Tensor:
    """Metrics of predictions p against ground truth g, both (N,) in metres, in the order of ``NAMES``."""
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


def score_frame(
    prediction: Tensor | None, batch: dict[str, Any], index: int, protocol: AnyProtocol, predicts: str
) -> FrameErrors | None:
    """Compute the metrics of one frame in a batch of evaluation samples.

    Args:
        prediction: (h, w), any size; None for a missing prediction.
        batch: evaluation samples, see ``datamodules``.
        index: index of the frame in the batch.
        protocol: evaluation protocol.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.

    Returns:
        Metrics, ``missing`` or ``invalid``; None if the protocol does not support the frame's ground truth or view.
    """
    if batch["truth"][index] not in protocol.truths or batch["view"][index] != protocol.view:
        return None
    errors = None if prediction is None else _errors(prediction, batch, index, protocol, predicts)
    if errors is None:
        return "missing"
    return errors if errors[0].isfinite().all() else "invalid"


def why_invalid(prediction: Tensor, predicts: str, protocol: AnyProtocol) -> str:
    """Say why a prediction, (h, w), is invalid under a protocol."""
    unusable = _inverse(prediction, predicts, protocol).isnan()
    if not unusable.any():
        return "cannot be aligned"
    infinite = unusable & ~prediction.isfinite()
    counts = {"not finite": int(infinite.sum()), "0 or negative": int((unusable & ~infinite).sum())}
    return ", ".join(f"{count} of {prediction.numel()} values are {what}" for what, count in counts.items() if count)


def same_aspect(size: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sizes, (height, width), have the same aspect ratio within :data:`ASPECT_TOLERANCE`."""
    ratio = size[1] * other[0] / (size[0] * other[1])
    return 1 - ASPECT_TOLERANCE < ratio < 1 + ASPECT_TOLERANCE


def require_maps(prediction: Tensor, image: Tensor, source: str) -> None:
    """Check the shape of a network's output.

    Args:
        prediction: output of the network.
        image: its input, (B, 3, H, W).
        source: name of the network for the error message.

    Raises:
        ValueError: the output is not one map per image, (B, 1, h, w), with the aspect ratio of the image.
    """
    one_map = prediction.ndim == 4 and prediction.shape[:2] == (len(image), 1) and prediction.numel() > 0
    if not one_map or not same_aspect(prediction.shape[2:], image.shape[2:]):
        raise ValueError(
            f"{source}: its output for images of shape {tuple(image.shape)} has shape {tuple(prediction.shape)}, not "
            f"({len(image)}, 1, h, w) with their aspect ratio"
        )


def mean_errors(errors: Iterable[FrameErrors], protocol: AnyProtocol) -> dict[str, Tensor]:
    """Mean of each metric over frames, as returned by :meth:`DepthMetrics.compute`."""
    sums = _empty_sums(protocol)
    for each in errors:
        _add(sums, each)
    return _mean(sums, protocol)


class DepthMetrics(Metric):
    """Mean of each metric over frames under one protocol, with the numbers of scored, missing and invalid frames.

    A frame is missing if its ground truth has no valid pixel, and invalid if its prediction cannot be aligned, is not
    finite or is not a depth. Neither contributes to the mean. Frames whose ground truth the protocol does not support
    are ignored.

    Args:
        protocol: evaluation protocol.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
    """

    full_state_update = False

    def __init__(self, protocol: AnyProtocol, predicts: str = "depth") -> None:
        super().__init__()
        self.protocol, self.predicts = protocol, predicts
        for name, zeros in _empty_sums(protocol).items():
            self.add_state(name, zeros, dist_reduce_fx="sum")

    def update(self, prediction: Tensor, batch: dict[str, Any]) -> None:
        """Add a batch.

        Args:
            prediction: (B, 1, h, w).
            batch: evaluation samples, see ``datamodules``.
        """
        for index, depth in enumerate(prediction):
            errors = score_frame(depth[0], batch, index, self.protocol, self.predicts)
            if errors is not None:
                _add(self.metric_state, errors)  # type: ignore[arg-type]

    def compute(self) -> dict[str, Tensor]:
        """Compute the means.

        Returns:
            Metrics by name, for depth ranges as ``0-20m/abs_rel``, and the counts ``frames``, ``missing`` and
            ``invalid``. A metric without frames is NaN.
        """
        return _mean(self.metric_state, self.protocol)  # type: ignore[arg-type]


def _names(protocol: AnyProtocol) -> tuple[str, ...]:
    return {OrdinalProtocol: ORDINAL_NAMES, EdgeProtocol: EDGE_NAMES}.get(type(protocol), NAMES)


def _empty_sums(protocol: AnyProtocol) -> dict[str, Tensor]:
    """Zeros for the sums of the metrics, (1 + ranges, metrics), the frames per range, (1 + ranges,), and the counts."""
    rows = 1 + len(protocol.ranges)
    sums = {
        "sums": torch.zeros(rows, len(_names(protocol)), dtype=torch.float64),
        "range_frames": torch.zeros(rows, dtype=torch.int64),
    }
    return sums | {count: torch.zeros((), dtype=torch.int64) for count in COUNTS}


def _add(sums: Mapping[str, Tensor], errors: FrameErrors) -> None:
    """Add the errors of a frame to the sums, in place."""
    if isinstance(errors, str):
        sums[errors].add_(1)
        return
    counted = errors.isfinite().all(1)
    sums["sums"].add_(errors.where(counted[:, None], 0))
    sums["range_frames"].add_(counted)
    sums["frames"].add_(1)


def _mean(sums: Mapping[str, Tensor], protocol: AnyProtocol) -> dict[str, Tensor]:
    prefixes = ["", *(f"{low:.0f}-{high:.0f}m/" for low, high in protocol.ranges)]
    means = (sums["sums"] / sums["range_frames"][:, None]).float()
    metrics = {
        prefix + name: value
        for prefix, row in zip(prefixes, means, strict=True)
        for name, value in zip(_names(protocol), row, strict=True)
    }
    return metrics | {name: sums[name].float() for name in COUNTS}


def _errors(
    prediction: Tensor, batch: dict[str, Any], index: int, protocol: AnyProtocol, predicts: str
) -> Tensor | None:
    height, width = batch["full_size"][index].tolist()
    if isinstance(protocol, OrdinalProtocol):
        pair = batch["full_pair"][index]
        if not pair[-1]:
            return None
        return protocol.wrong(_inverse(prediction, predicts, protocol), (height, width), pair).reshape(1, 1)
    truth = batch["full_depth"][index, 0, :height, :width]
    if isinstance(protocol, EdgeProtocol):
        return protocol.errors(_inverse(prediction, predicts, protocol), truth)
    return frame_errors(prediction, truth, protocol, predicts, batch["box"][index].tolist())


def _inverse(prediction: Tensor, predicts: str, protocol: AnyProtocol) -> Tensor:
    """Inverse depth, float64; NaN where the prediction is not finite, or has no depth: where it is 0 or negative.

    Inverse depth that is known up to a shift, or only ordered, may be negative.
    """
    values = prediction.double()
    usable = values.isfinite()
    if isinstance(protocol, Protocol) and protocol.nan_to_min:
        values = values.nan_to_num(nan=protocol.clamp[0], posinf=torch.inf, neginf=-torch.inf)
        usable = torch.ones_like(usable)
    if predicts == "depth" or protocol.align in ("median", "none"):
        usable = usable & (values > 0)
    return torch.where(usable, values if predicts == "inverse_depth" else 1 / values, torch.nan)
