"""Camera geometry: intrinsics after crop, resize and flip, rotations, and the views of a frame for evaluation.

Pixel centres are at integer coordinates.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Intrinsics = NDArray[np.float32]
View = Literal["full", "kb"]


class Box(NamedTuple):
    """A box in pixels of a frame: rows ``top`` to ``bottom - 1`` and columns ``left`` to ``right - 1``."""

    top: int
    bottom: int
    left: int
    right: int


def view_box(view: View, size: tuple[int, int]) -> Box:
    """Box of a view in a frame.

    Args:
        view: ``full`` (the whole frame) or ``kb`` (the KITTI benchmark crop, 352 x 1216 pixels at the bottom centre).
        size: (height, width) of the frame.

    Raises:
        ValueError: the frame is smaller than the crop.
    """
    height, width = size
    if view == "full":
        return Box(0, height, 0, width)
    top, left = height - 352, int((width - 1216) / 2)
    if top < 0 or width < 1216:
        raise ValueError(f"a frame of {height}x{width} (height x width) is smaller than the KB crop, 352x1216")
    return Box(top, height, left, left + 1216)


def crop(intrinsics: Intrinsics, left: float, top: float) -> Intrinsics:
    """Intrinsics after removing ``left`` columns on the left and ``top`` rows at the top."""
    result = intrinsics.copy()
    result[0, 2] -= left
    result[1, 2] -= top
    return result


def resize(intrinsics: Intrinsics, scale_x: float, scale_y: float) -> Intrinsics:
    """Intrinsics after a resize by (scale_x, scale_y): cx becomes s (cx + 0.5) - 0.5."""
    result = intrinsics.copy()
    for row, scale in enumerate((scale_x, scale_y)):
        result[row, :2] *= scale
        result[row, 2] = scale * (intrinsics[row, 2] + 0.5) - 0.5
    return result


def flip(intrinsics: Intrinsics, width: int) -> Intrinsics:
    """Intrinsics after a horizontal flip of an image that is ``width`` pixels wide."""
    result = intrinsics.copy()
    result[0, 2] = width - 1 - intrinsics[0, 2]
    return result


def turn(pitch: float, roll: float, yaw: float) -> NDArray[np.float64]:
    """Rotation matrix, (3, 3), from the coordinates of a camera to those of the rotated camera.

    Camera coordinates are x right, y down, z forward.

    Args:
        pitch: downward rotation of the camera in degrees.
        roll: clockwise rotation in degrees.
        yaw: rotation to the right in degrees.
    """
    x, y, z = np.deg2rad([pitch, yaw, roll])
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), np.sin(z), 0], [-np.sin(z), np.cos(z), 0], [0, 0, 1]]
    rotation: NDArray[np.float64] = np.array(about_x) @ about_z @ about_y
    return rotation
