"""Evaluation protocols by name: which pixels count, how a prediction is aligned, where it is clamped.

A protocol is what a number in a paper means. It scores one frame; ``lightning_app.evaluation.metrics`` averages over
frames.
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
from losses.masked import resize

GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
NYU_CROP = (45 / 480, 471 / 480, 41 / 640, 601 / 640)
KITTI_RANGES = ((0.0, 20.0), (20.0, 40.0), (40.0, 80.0))


@dataclass(frozen=True)
class Protocol:
    """How one frame is scored.

    Attributes:
        name: as printed beside every number.
        truths: which kinds of truth it is defined on, see :class:`datamodules.Reader`.
        min_depth: a truth at or below it does not count, metres.
        max_depth: a truth at or beyond it does not count, metres.
        align: ``median`` scales a prediction by the ratio of the medians; ``disparity`` fits scale and shift to the
            inverse depth by least squares, floored at 1/clamp's upper bound; ``none`` takes it as metres.
        clamp: what an aligned prediction is clamped to, metres.
        crop: top, bottom, left, right as shares of height and width, truncated to whole pixels; None for the frame.
        view: what the network sees of the frame; its prediction is pasted back.
        resize: how a prediction comes to the truth's size: ``bilinear`` in inverse depth, or ``nearest``.
        ranges: truths for which the errors are given separately, too, metres.
        nan_to_min: a prediction that is NaN becomes the clamp's lower bound, as in bts, and is not invalid.
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
        """The pixels of a truth, (H, W), that count."""
        mask = (truth > self.min_depth) & (truth < self.max_depth)
        if self.crop is None:
            return mask
        height, width = truth.shape
        top, bottom, left, right = self.crop
        inside = torch.zeros_like(mask)
        inside[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
        return mask & inside

    def to_truth(self, inverse: Tensor, truth: Tensor, box: Sequence[int]) -> Tensor:
        """Bring a prediction of inverse depth, (h, w), to the truth's pixels, (H, W); 0 (the end of the world) outside
        of the view's box.
        """
        top, bottom, left, right = box
        size = (bottom - top, right - left)
        if self.resize == "nearest":
            inverse = F.interpolate(inverse[None, None], size, mode="nearest")[0, 0]
        else:
            inverse = resize(inverse[None, None], size)[0, 0]
        return F.pad(inverse, (left, truth.shape[1] - right, top, truth.shape[0] - bottom))

    def apply(self, inverse: Tensor, truth: Tensor) -> Tensor:
        """Align and clamp predictions of inverse depth, (N,), at the pixels that count: metres.

        What cannot be aligned comes out as NaN.
        """
        if self.align == "disparity":
            scale, shift = scale_and_shift(inverse, 1 / truth)
            inverse = (scale * inverse + shift).clamp_min(1 / self.clamp[1])
        depth = 1 / inverse
        if self.align == "median":
            median = _median(depth)
            depth = depth * torch.where(median > 0, _median(truth) / median, torch.nan)
        if self.nan_to_min:
            depth = depth.nan_to_num(nan=self.clamp[0], posinf=math.inf)
        return depth.clamp(*self.clamp)


@dataclass(frozen=True)
class OrdinalProtocol:
    """Which of two points is farther, asked of the prediction at the image's own size; a tie is wrong (WHDR).

    Attributes:
        name: as printed beside every number.
        truths: which kinds of truth it is defined on.
    """

    name: str
    truths: frozenset[str]
    align: Literal["ordinal"] = "ordinal"
    view: View = "full"
    ranges: tuple[tuple[float, float], ...] = ()

    def wrong(self, inverse: Tensor, size: tuple[int, int], pair: Tensor) -> Tensor:
        """1.0 where the prediction, (h, w), orders a pair wrongly, 0.0 where it does not, NaN where it is not
        finite.
        """
        full = resize(inverse[None, None], size)[0, 0]
        full = full.float()  # or rounding in the interpolation would decide ties
        row_a, column_a, row_b, column_b, order = pair.tolist()
        nearer_by = full[row_a, column_a] - full[row_b, column_b]
        return torch.where(nearer_by.isfinite(), (nearer_by * order >= 0).double(), torch.nan)


AnyProtocol = Protocol | OrdinalProtocol


def _median(values: Tensor) -> Tensor:
    """numpy's median, which averages the two middle values; torch's takes the lower."""
    ordered = values.sort().values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def scale_and_shift(values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(s, t) = argmin sum (s v + t - target)^2, in closed form; NaN where all v are equal."""
    mean = values.mean()
    centred = values - mean
    spread = centred.square().sum()
    singular = spread <= 1e-12 * values.square().sum()
    scale = torch.where(singular, torch.nan, (centred * targets).sum() / spread)
    return scale, targets.mean() - scale * mean


# Rendered streets stand in for KITTI's frames, whose view and mask they share; their name stands beside the number.
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
    )
}


def protocol(name: str) -> AnyProtocol:
    """A protocol by name; raises ValueError with the names that there are."""
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def fitting(names: Iterable[str], readers: Iterable[Reader], predicts: str) -> list[AnyProtocol]:
    """Protocols by name, after a check that each can score these predictions on some of these readers.

    Args:
        names: of the protocols.
        readers: of the frames to score.
        predicts: ``depth`` or ``inverse_depth``.

    Raises:
        ValueError: an unknown name, a protocol that is not defined on such a truth, or one without alignment for
            predictions that are only right up to scale and shift.
    """
    truths = {str(reader): reader.truth for reader in readers}
    protocols = [protocol(name) for name in dict.fromkeys(names)]
    for each in protocols:
        if not each.truths & set(truths.values()):
            there = ", ".join(f"{name} has {truth}" for name, truth in truths.items()) or "there is no reader"
            wanted = " or ".join(sorted(each.truths))
            hint = " (KittiRaw gives lidar_x with depth: forward_x)" if "lidar_x" in each.truths else ""
            raise ValueError(f"protocol {each.name} is defined on {wanted} truth, but {there}{hint}")
        if each.align == "none" and predicts != "depth":
            raise ValueError(
                f"protocol {each.name} needs metres, but this network predicts {predicts}; it aligns nothing"
            )
    return protocols


def views(protocols: Iterable[AnyProtocol]) -> dict[str, list[View]]:
    """Which views the protocols ask for of a frame, by the kind of its truth."""
    asked: dict[str, list[View]] = {}
    for each in protocols:
        for truth in each.truths:
            if each.view not in asked.setdefault(truth, []):
                asked[truth].append(each.view)
    return asked
