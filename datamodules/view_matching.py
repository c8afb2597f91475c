"""Do a frame and its neighbours show the same scene? Measured on matching features."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.reader import Frame

FEWEST = 12  # matches; of fewer nothing is said
_FEATURES = 1000
_DISTINCT = 0.8  # Lowe's ratio of the distances to the best and to the second best match


class ViewReport(NamedTuple):
    """How a neighbour fits its frame.

    Attributes:
        stereo: whether its pose is a shift to the side alone, as in a rectified pair.
        matches: number of matching features.
        rows: median difference of their rows in pixels; NaN with fewer than 12 matches.
        moved: median distance that they moved in pixels; NaN with fewer than 12 matches.
    """

    stereo: bool
    matches: int
    rows: float
    moved: float


def report_views(frame: Frame) -> tuple[ViewReport, ...]:
    """Match features of a frame with each of its neighbours."""
    if not frame.neighbours:
        return ()
    places, descriptors = _features(frame.image)
    reports = []
    for each in frame.neighbours:
        its_places, its_descriptors = _features(each.image)
        pairs = _match(descriptors, its_descriptors)
        shift = its_places[pairs[:, 1]] - places[pairs[:, 0]]  # (N, 2): x, y
        known = len(pairs) >= FEWEST
        rows = float(np.median(abs(shift[:, 1]))) if known else np.nan
        moved = float(np.median(np.hypot(*shift.T))) if known else np.nan
        reports.append(ViewReport(_is_stereo(each.pose), len(pairs), rows, moved))
    return tuple(reports)


def _features(image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Places, (N, 2), and descriptors, (N, 32), of ORB features."""
    points, descriptors = cv2.ORB.create(_FEATURES).detectAndCompute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None)
    places = np.array([point.pt for point in points], dtype=np.float64).reshape(-1, 2)
    return places, np.zeros((0, 32), np.uint8) if descriptors is None else descriptors.astype(np.uint8)


def _match(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Indices of matching features, (N, 2)."""
    if len(one) == 0 or len(other) < 2:
        return np.zeros((0, 2), np.int64)
    found = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(one, other, k=2)
    pairs = [(best.queryIdx, best.trainIdx) for best, second in found if best.distance < _DISTINCT * second.distance]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _is_stereo(pose: NDArray[np.float32] | None) -> bool:
    """A shift along x, with the remainders that calibration leaves."""
    if pose is None or not np.allclose(pose[:3, :3], np.eye(3), atol=1e-3):
        return False
    x, y, z = abs(pose[:3, 3])
    return bool(max(y, z) < 0.1 * x)
