"""Evaluation protocols by name: which pixels count, how a prediction is aligned, where it is clamped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)


@dataclass(frozen=True)
class Protocol:
    """How one frame is scored.

    Attributes:
        name: as printed beside every number.
        min_depth: a truth at or below it does not count, metres.
        max_depth: a truth at or beyond it does not count, metres.
        crop: top, bottom, left, right as shares of height and width, truncated to whole pixels; None for the frame.
        align: ``median`` scales a prediction by the ratio of the medians; ``none`` takes it as metres.
        clamp: what an aligned prediction is clamped to, metres.
    """

    name: str
    min_depth: float
    max_depth: float
    crop: tuple[float, float, float, float] | None
    align: Literal["median", "none"]
    clamp: tuple[float, float]

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

    def apply(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Align and clamp the predictions, (N,), of the pixels that count."""
        if self.align == "median":
            # numpy's median, which averages the two middle values; torch's takes the lower.
            prediction = prediction * (_median(truth) / _median(prediction))
        return prediction.clamp(*self.clamp)


def _median(values: Tensor) -> Tensor:
    ordered = values.sort().values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


KITTI_EIGEN = Protocol("kitti-eigen", 1e-3, 80.0, GARG_CROP, "median", (1e-3, 80.0))

PROTOCOLS = {
    protocol.name: protocol for protocol in (KITTI_EIGEN, replace(KITTI_EIGEN, name="kitti-eigen-metric", align="none"))
}


def protocol(name: str) -> Protocol:
    """A protocol by name; raises ValueError with the names that there are."""
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
