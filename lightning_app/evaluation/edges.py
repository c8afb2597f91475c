"""Evaluation of depth edges: where the outlines of objects are, and how large the errors are beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from datamodules.geometry import View
from losses.masked import resize

FARTHEST_PX = 10.0  # edges farther away than this have nothing to do with each other, as in IBims-1
BESIDE_PX = 5.0  # depth errors are averaged this near to true edges
_SIGMA = 2**0.5  # of the Gaussian before Canny, pixels, as in IBims-1
# Gradients per pixel of inverse depth, in units of its median. A step of 1 has a gradient of 0.28 after the Gaussian.
_LOW, _HIGH = 0.05, 0.1
_STEEPEST = 4.0  # gradients are 16-bit integers in Canny


@dataclass(frozen=True)
class EdgeProtocol:
    """Evaluation protocol of depth edges, after IBims-1 (arXiv 1805.01328).

    The prediction is resized to the ground truth bilinearly in inverse depth, and scaled by the ratio of the medians.
    Edges of both are found by Canny in inverse depth; IBims-1 has annotated edges, and finds those of predictions in
    depth.

    Attributes:
        name: name in tables, logs and files.
        truths: supported kinds of ground truth, which must be dense.
        max_depth: ground truth at or above this depth is ignored, metres.
        unknown: unknown depth is ``far`` (the sky), or like the ``nearest`` known pixel (holes).
    """

    name: str
    truths: frozenset[str]
    max_depth: float
    unknown: Literal["far", "nearest"]
    align: Literal["median"] = "median"
    view: View = "full"
    ranges: tuple[tuple[float, float], ...] = ()

    def errors(self, inverse: Tensor, truth: Tensor) -> Tensor | None:
        """Compute the metrics of one frame.

        Args:
            inverse: predicted inverse depth, (h, w).
            truth: ground truth in metres, (H, W), 0 where unknown.

        Returns:
            abs_rel within 5 px of true edges, edge accuracy and edge completeness in pixels, float64, (1, 3); NaN if
            the prediction is not finite. None if the ground truth has no edges.
        """
        known = (truth > 0) & (truth < self.max_depth)
        if not known.any():
            return None
        inverse = resize(inverse[None, None], (truth.shape[0], truth.shape[1]))[0, 0]
        if not inverse.isfinite().all():
            return torch.full((1, 3), torch.nan, dtype=torch.float64)
        exact = truth.double()
        median = (1 / exact[known]).median()
        inverse = (inverse * median / inverse[known].median()).clamp_min(1 / self.max_depth)
        true_edges = find_edges(self._filled(1 / exact.where(known, self.max_depth), known) / median)
        if not true_edges.any():
            return None
        beside = torch.from_numpy(_distance(true_edges) <= BESIDE_PX).to(known.device) & known
        abs_rel = ((1 / inverse - exact).abs() / exact)[beside].mean()
        accuracy, completeness = edge_distances(find_edges(inverse / median), true_edges)
        return torch.stack([abs_rel, abs_rel.new_tensor(accuracy), abs_rel.new_tensor(completeness)])[None]

    def _filled(self, inverse: Tensor, known: Tensor) -> Tensor:
        if self.unknown == "far" or known.all():
            return inverse
        rows, columns = distance_transform_edt(~known.cpu().numpy(), return_distances=False, return_indices=True)
        return inverse[torch.from_numpy(rows).long(), torch.from_numpy(columns).long()]


def find_edges(inverse: Tensor) -> NDArray[np.bool_]:
    """Find edges by Canny.

    Args:
        inverse: inverse depth in units of its median, (H, W).

    Returns:
        bool, (H, W).
    """
    smooth = cv2.GaussianBlur(inverse.cpu().numpy(), (0, 0), _SIGMA)
    scale = np.iinfo(np.int16).max / _STEEPEST
    gradients = np.stack([cv2.Sobel(smooth, cv2.CV_64F, *axis) / 8 for axis in ((1, 0), (0, 1))])  # (2, H, W): x, y
    across, down = (gradients.clip(-_STEEPEST, _STEEPEST) * scale).astype(np.int16)
    return np.asarray(cv2.Canny(across, down, _LOW * scale, _HIGH * scale, L2gradient=True) > 0)


def edge_distances(edges: NDArray[np.bool_], true_edges: NDArray[np.bool_]) -> tuple[float, float]:
    """Accuracy and completeness of edges in pixels, from 0 to 10, lower is better (IBims-1, arXiv 1805.01328).

    Args:
        edges: edges of the prediction, (H, W).
        true_edges: edges of the ground truth, (H, W), at least one.

    Returns:
        The mean distance of predicted edges to true ones, of those within 10 px; and the mean distance of all edges of
        both to those of the other, at most 10 px each. Both are 10 if no predicted edge is within 10 px of a true one.
    """
    to_true = _distance(true_edges)
    near = edges & (to_true < FARTHEST_PX)
    if not near.any():
        return FARTHEST_PX, FARTHEST_PX
    both = np.concatenate([to_true[edges], _distance(edges)[true_edges]])
    return float(to_true[near].mean()), float(both.clip(max=FARTHEST_PX).mean())


def _distance(edges: NDArray[np.bool_]) -> Any:
    """Distance of each pixel to the next edge in pixels, (H, W)."""
    return cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
