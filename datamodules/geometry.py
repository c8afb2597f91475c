"""What crop, resize and flip do to intrinsics. Pixel centres stand at integer coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Intrinsics = NDArray[np.float32]


def crop(intrinsics: Intrinsics, left: float, top: float) -> Intrinsics:
    """Intrinsics after ``left`` columns and ``top`` rows were cut off."""
    result = intrinsics.copy()
    result[0, 2] -= left
    result[1, 2] -= top
    return result


def resize(intrinsics: Intrinsics, scale_x: float, scale_y: float) -> Intrinsics:
    """Intrinsics after a resize by (scale_x, scale_y): cx goes to s (cx + 0.5) - 0.5."""
    result = intrinsics.copy()
    for row, scale in enumerate((scale_x, scale_y)):
        result[row, :2] *= scale
        result[row, 2] = scale * (intrinsics[row, 2] + 0.5) - 0.5
    return result


def flip(intrinsics: Intrinsics, width: int) -> Intrinsics:
    """Intrinsics after a left-right flip of an image ``width`` pixels wide."""
    result = intrinsics.copy()
    result[0, 2] = width - 1 - intrinsics[0, 2]
    return result
