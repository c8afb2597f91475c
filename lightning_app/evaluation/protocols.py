"""Evaluation protocols: valid pixels, alignment and clamping of predictions.

A protocol applies to one frame. ``lightning_app.evaluation.metrics`` averages over frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.geometry import View
from datamodules.reader import Reader
from lightning_app.evaluation.edges import EdgeProtocol
from lightning_app.protocol_names import require_protocol
from losses.masked import resize

GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
NYU_CROP = (45 / 480, 471 / 480, 41 / 640, 601 / 640)
KITTI_RANGES = ((0.0, 20.0), (20.0, 40.0), (40.0, 80.0))


@dataclass(frozen=True)
class Protocol:
    """Evaluation protocol of depth maps.

    Attributes:
        name: name in tables, logs and files.
        truths: supported kinds of ground truth, see :class:`datamodules.Reader`.
        min_depth: ground truth at or below this depth is ignored, metres.
        max_depth: ground truth at or above this depth is ignored, metres.
        align: ``median`` scales the prediction by the ratio of the medians. ``disparity`` fits scale and shift of the
            inverse depth by least squares; the result is at least the inverse of the upper bound of ``clamp``. ``none``
            does not align; the prediction is in metres.
        clamp: range that an aligned prediction is clamped to, metres.
        crop: top, bottom, left and right as fractions of height and width, truncated to integer pixels; None for the
            whole frame.
        view: part of the frame that is the network's input. Its prediction is pasted back into the frame.
        resize: interpolation of the prediction to the size of the ground truth: ``bilinear`` in inverse depth, or
            ``nearest``.
        ranges: depth ranges of the ground truth for which metrics are also computed separately, metres.
        nan_to_min: whether to replace NaN in the prediction by the lower bound of ``clamp`` and infinity by the upper
            one, as in bts. Otherwise the frame is invalid.
    """

    name: str
    truths: frozenset[str]
    min_depth: float
    max_depth: float
    align: Literal["median", "disparity", "none"]
    clamp: tuple[float, float]
    crop: tuple[float, float, float, float] | None = None
    view: View = "full"
    resize: Literal["bilinear", "nearest"] = "bilinear"
    ranges: tuple[tuple[float, float], ...] = ()
    nan_to_min: bool = False

    def mask(self, truth: Tensor) -> Tensor:
        """Valid pixels of a ground truth: bool, (H, W)."""
        mask = (truth > self.min_depth) & (truth < self.max_depth)
        if self.crop is None:
            return mask
        height, width = truth.shape
        top, bottom, left, right = self.crop
        inside = torch.zeros_like(mask)
        inside[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
        return mask & inside

    def to_truth(self, inverse: Tensor, truth: Tensor, box: Sequence[int]) -> Tensor:
        """Resize a prediction of inverse depth to the ground truth.

        Args:
            inverse: predicted inverse depth, (h, w).
            truth: ground truth, (H, W).
            box: top, bottom, left and right of the prediction in the ground truth.

        Returns:
            Inverse depth, (H, W), 0 (infinitely far) outside of the box.
        """
        top, bottom, left, right = box
        size = (bottom - top, right - left)
        if self.resize == "nearest":
            inverse = F.interpolate(inverse[None, None], size, mode="nearest")[0, 0]
        else:
            inverse = resize(inverse[None, None], size)[0, 0]
        return F.pad(inverse, (left, truth.shape[1] - right, top, truth.shape[0] - bottom))

    def apply(self, inverse: Tensor, truth: Tensor) -> Tensor:
        """Align and clamp a prediction at the valid pixels.

        Args:
            inverse: predicted inverse depth, (N,).
            truth: ground truth in metres, (N,).

        Returns:
            Depth in metres, (N,); NaN if the prediction cannot be aligned.
        """
        if self.align == "disparity":
            scale, shift = scale_and_shift(inverse, 1 / truth)
            inverse = (scale * inverse + shift).clamp_min(1 / self.clamp[1])
        depth = 1 / inverse
        if self.align == "median":
            median = _median(depth)
            depth = depth * torch.where(median > 0, _median(truth) / median, torch.nan)
        return depth.clamp(*self.clamp)


@dataclass(frozen=True)
class OrdinalProtocol:
    """Evaluation protocol of ordinal pairs (WHDR): which of two points is farther.

    The prediction is resized to the size of the image. A tie counts as wrong.

    Attributes:
        name: name in tables, logs and files.
        truths: supported kinds of ground truth.
    """

    name: str
    truths: frozenset[str]
    align: Literal["ordinal"] = "ordinal"
    view: View = "full"
    ranges: tuple[tuple[float, float], ...] = ()

    def wrong(self, inverse: Tensor, size: tuple[int, int], pair: Tensor) -> Tensor:
        """Whether the prediction orders a pair wrongly.

        Args:
            inverse: predicted inverse depth, (h, w).
            size: (height, width) of the image.
            pair: rows, columns and order of the points, (5,), see :class:`datamodules.Frame`.

        Returns:
            1.0 if the order is wrong, 0.0 if it is right, NaN if the prediction is not finite there.
        """
        full = resize(inverse[None, None], size)[0, 0]
        full = full.float()  # in float64, rounding errors of the interpolation would hide ties
        row_a, column_a, row_b, column_b, order = pair.tolist()
        nearer_by = full[row_a, column_a] - full[row_b, column_b]
        return torch.where(nearer_by.isfinite(), (nearer_by * order >= 0).double(), torch.nan)


AnyProtocol = Protocol | OrdinalProtocol | EdgeProtocol


def _median(values: Tensor) -> Tensor:
    """Median as in numpy: the mean of the two middle values; torch.median returns the lower one."""
    ordered = values.sort().values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def scale_and_shift(values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares fit (s, t) = argmin sum (s v + t - target)^2 in closed form; NaN if all values are equal."""
    mean = values.mean()
    centred = values - mean
    spread = centred.square().sum()
    singular = spread <= 1e-12 * values.square().sum()
    scale = torch.where(singular, torch.nan, (centred * targets).sum() / spread)
    return scale, targets.mean() - scale * mean


# Rendered streets (Virtual KITTI) have the view of KITTI and are scored with the same mask.
_STREET = frozenset({"lidar_x", "rendered"})
_INDOOR = frozenset({"kinect"})
_KITTI_EIGEN = Protocol("kitti-eigen", _STREET, 1e-3, 80.0, "median", (1e-3, 80.0), crop=GARG_CROP, ranges=KITTI_RANGES)
_NYU_EIGEN = Protocol("nyu-eigen", _INDOOR, 1e-3, 10.0, "none", (1e-3, 10.0), crop=NYU_CROP)

PROTOCOLS: dict[str, AnyProtocol] = {
    protocol.name: protocol
    for protocol in (
        _KITTI_EIGEN,
        replace(_KITTI_EIGEN, name="kitti-eigen-metric", align="none"),
        replace(_KITTI_EIGEN, name="kitti-paper", align="disparity", crop=None, clamp=(0.0, 80.0)),
        replace(
            _KITTI_EIGEN,
            name="kitti-eigen-improved",
            truths=frozenset({"annotated"}),
            min_depth=0.0,
            max_depth=math.inf,
            crop=None,
        ),
        replace(
            _KITTI_EIGEN,
            name="kitti-bts",
            truths=frozenset({"annotated"}),
            align="none",
            view="kb",
            nan_to_min=True,
        ),
        _NYU_EIGEN,
        replace(_NYU_EIGEN, name="nyu-eigen-ls", align="disparity"),
        replace(_NYU_EIGEN, name="nyu-paper", min_depth=0.0, align="disparity", crop=None, clamp=(0.0, 10.0)),
        Protocol("make3d-c1", frozenset({"laser_grid"}), 0.0, 70.0, "median", (0.0, 70.0), resize="nearest"),
        OrdinalProtocol("diw", frozenset({"pairs"})),
        EdgeProtocol("edges-rendered", frozenset({"rendered"}), 80.0, unknown="far"),
        EdgeProtocol("edges-kinect", _INDOOR, 10.0, unknown="nearest"),
    )
}


def protocol(name: str) -> AnyProtocol:
    """Get a protocol by name; raises ValueError for an unknown name."""
    require_protocol(name)
    return PROTOCOLS[name]


def fitting(names: Iterable[str], readers: Iterable[Reader], predicts: str) -> list[AnyProtocol]:
    """Get protocols by name, and check that each applies to the predictions and to at least one reader.

    Args:
        names: names of the protocols.
        readers: readers of the frames to score.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.

    Raises:
        ValueError: an unknown name, a protocol that supports no reader's ground truth, or a protocol without alignment
            for inverse depth.
    """
    truths = {str(reader): reader.truth for reader in readers}
    protocols = [protocol(name) for name in dict.fromkeys(names)]
    for each in protocols:
        if not each.truths & set(truths.values()):
            there = ", ".join(f"{name} has {truth}" for name, truth in truths.items()) or "there is no reader"
            wanted = " or ".join(sorted(each.truths))
            hint = " (KittiRaw has lidar_x with depth: forward_x)" if "lidar_x" in each.truths else ""
            raise ValueError(f"protocol {each.name} is defined on {wanted} ground truth, but {there}{hint}")
        if each.align == "none" and predicts != "depth":
            raise ValueError(
                f"protocol {each.name} needs depth in metres, but the predictions are {predicts}; use one that aligns"
            )
    return protocols


def views(protocols: Iterable[AnyProtocol]) -> dict[str, list[View]]:
    """Views of a frame that the protocols require, by kind of ground truth."""
    asked: dict[str, list[View]] = {}
    for each in protocols:
        for truth in each.truths:
            if each.view not in asked.setdefault(truth, []):
                asked[truth].append(each.view)
    return asked
