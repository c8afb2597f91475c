"""Camera geometry: intrinsics after crop, resize and flip, rotations, and the views of a frame for evaluation.

Pixel centres are at integer coordinates.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.reader import CorruptFrameError

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


def resize_scale(own: tuple[int, int], size: tuple[int, int], source: object) -> tuple[float, float]:
    """Scale (x, y) of the resize from one image size to another, both (height, width).

    Args:
        own: size for which the camera is known.
        size: size of the image.
        source: file of the image, for the error message.

    Raises:
        CorruptFrameError: the sizes differ by more than a scale and rounding to whole pixels, so the image is a crop or
            stretched, and its camera is unknown.
    """
    (own_height, own_width), (height, width) = own, size
    smallest = max((height - 1) / own_height, (width - 1) / own_width)
    largest = min((height + 1) / own_height, (width + 1) / own_width)
    if smallest >= largest:
        raise CorruptFrameError(
            f"{source}: the image is {height}x{width} (height x width), but its camera is calibrated for "
            f"{own_height}x{own_width}, which is no scaled size of it: it is a crop or stretched"
        )
    return width / own_width, height / own_height


def to_size(intrinsics: Intrinsics, own: tuple[int, int], size: tuple[int, int], source: object) -> Intrinsics:
    """Intrinsics known for images of size ``own``, for an image of ``size``; see :func:`resize_scale`."""
    return intrinsics if own == size else resize(intrinsics, *resize_scale(own, size, source))


def require_centred(intrinsics: Intrinsics, size: tuple[int, int], source: object) -> None:
    """Check intrinsics that come without their image size: the principal point is at most 5 % from the centre.

    Raises:
        CorruptFrameError: it is not, so the intrinsics are those of another image size.
    """
    (height, width), (own_width, own_height) = size, (2 * intrinsics[:2, 2] + 1).tolist()
    if not (abs(own_width - width) <= width / 10 and abs(own_height - height) <= height / 10):
        raise CorruptFrameError(
            f"{source}: the image is {height}x{width} (height x width), but the principal point of its intrinsics, "
            f"({intrinsics[0, 2]:g}, {intrinsics[1, 2]:g}), is the centre of {own_height:.0f}x{own_width:.0f}"
        )


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
