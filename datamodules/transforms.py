"""Frames seen by another camera: rotated, cropped, resized, mirrored."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from datamodules import geometry
from datamodules.reader import Frame, Neighbour

Array = NDArray[Any]
Shrink = Callable[[Array, tuple[int, int]], Array]

# Decoders return read-only arrays. Nothing here writes to them.
warnings.filterwarnings("ignore", "The given NumPy array is not writable")


def rotate_camera(frame: Frame, rotation: Array) -> Frame:
    """A frame as seen by the rotated camera. Pixels outside the original are mirrored and have unknown depth."""
    image: Any
    depth: Any
    inv_depth: Any
    height, width = frame.depth.shape
    intrinsics = frame.intrinsics.astype(np.float64)
    rays = rotation @ np.linalg.inv(intrinsics)
    columns, rows = np.arange(width), np.arange(height)[:, None]
    # Ratio of new to old depth, (H, W).
    stretch = (rays[2, 0] * columns + rays[2, 1] * rows + rays[2, 2]).astype(np.float32)
    warp, size = intrinsics @ rays, (width, height)
    image = cv2.warpPerspective(frame.image, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    depth = cv2.warpPerspective(frame.depth * stretch, warp, size, flags=cv2.INTER_NEAREST).clip(0)
    pair, inv_depth = frame.pair, frame.inv_depth
    if pair is not None:
        pair = _map_pair(pair, warp, depth.shape)
    if inv_depth is not None:
        inv_depth = cv2.warpPerspective(inv_depth / stretch, warp, size, flags=cv2.INTER_NEAREST).clip(0)
    return Frame(image, depth, frame.intrinsics, frame.domain, frame.path, pair, inv_depth)


def crop_and_resize(
    frame: Frame, box: geometry.Box | None, size: tuple[int, int], shrink: Shrink, mirrored: bool = False
) -> Frame:
    """Crop a frame to a box (or keep all of it) and resize it to (height, width).

    Depth is resized with nearest-neighbour interpolation, which never mixes known and unknown pixels.
    """
    image, intrinsics = _crop_and_resize_view(frame.image, frame.intrinsics, box, size, shrink, mirrored)
    depth, inv_depth = (_crop_and_resize_map(each, box, size, mirrored) for each in (frame.depth, frame.inv_depth))
    mirror = np.diag([-1 if mirrored else 1, 1, 1, 1])
    neighbours = tuple(
        Neighbour(
            *_crop_and_resize_view(each.image, each.intrinsics, box, size, shrink, mirrored),
            None if each.pose is None else (mirror @ each.pose @ mirror).astype(np.float32),
        )
        for each in frame.neighbours
    )
    pair = frame.pair
    if pair is not None:
        pair = _map_pair(pair, intrinsics @ mirror[:3, :3] @ np.linalg.inv(frame.intrinsics), size)
    return Frame(image, depth, intrinsics, frame.domain, frame.path, pair, inv_depth, neighbours)


def _crop_and_resize_view(
    image: Any, intrinsics: Array, box: geometry.Box | None, size: tuple[int, int], shrink: Shrink, mirrored: bool
) -> tuple[Any, Array]:
    if box is not None:
        image = image[box.top : box.bottom, box.left : box.right]
        intrinsics = geometry.crop(intrinsics, box.left, box.top)
    height, width = image.shape[:2]
    shrinks = size[0] < height or size[1] < width
    image = shrink(image, size) if shrinks else cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    intrinsics = geometry.resize(intrinsics, size[1] / width, size[0] / height)
    return (cv2.flip(image, 1), geometry.flip(intrinsics, size[1])) if mirrored else (image, intrinsics)


def _crop_and_resize_map(values: Any, box: geometry.Box | None, size: tuple[int, int], mirrored: bool) -> Any:
    if values is None:
        return None
    if box is not None:
        values = values[box.top : box.bottom, box.left : box.right]
    values = cv2.resize(values, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.flip(values, 1) if mirrored else values


def _map_pair(pair: Array, warp: Array, size: tuple[int, ...]) -> Array:
    """Map an ordinal pair by a homography, (3, 3). The order becomes 0 if a point leaves the image."""
    x, y, scale = warp @ [pair[[1, 3]], pair[[0, 2]], [1, 1]]
    x, y = np.rint(x / scale).astype(np.int64), np.rint(y / scale).astype(np.int64)
    inside = (scale > 0).all() and min(*x, *y) >= 0 and max(y) < size[0] and max(x) < size[1]
    return np.array([y[0], x[0], y[1], x[1], pair[4] if inside else 0])


def shrink_by_area(image: Array, size: tuple[int, int]) -> Array:
    """Downscale as deployed networks downscale their input."""
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def shrink_fast(image: Array, size: tuple[int, int]) -> Array:
    """Downscale with antialiasing, twice as fast as INTER_AREA at these sizes."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    return F.interpolate(pixels, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
