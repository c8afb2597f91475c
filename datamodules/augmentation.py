"""Frames -> samples of one size: augmentation for training, resizing for evaluation."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it checks for updates online

import albumentations as A
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from datamodules import geometry
from datamodules.reader import Frame

Sample = dict[str, Any]
Array = NDArray[Any]
Shrink = Callable[[Array, tuple[int, int]], Array]

# Decoders return read-only arrays. Nothing here writes to them.
warnings.filterwarnings("ignore", "The given NumPy array is not writable")


class Augmentation:
    """Random camera rotation, zoom, flip and photometric noise. Depth and intrinsics are transformed with the image.

    Args:
        zoom: maximum zoom; the smallest crop has 1/zoom of the largest crop's width. 1 disables zooming.
        flip: probability of a horizontal flip.
        photometric: probability of each of colour jitter, gamma, blur or sharpening, and noise, drawn independently.
            JPEG artefacts have half of it, greyscale and channel shuffle a fifth of it each.
        pitch: range of the downward rotation of the camera in degrees. It covers cameras that are mounted at another
            angle, or have a shifted lens. A positive pitch moves the horizon up in the image.
        roll: range of the clockwise rotation of the camera in degrees.
        yaw: range of the rotation of the camera to the right in degrees.

    Raises:
        ValueError: ``zoom`` is below 1, a probability is outside [0, 1], or a range of degrees is not ascending within
            [-45, 45].
    """

    def __init__(
        self,
        zoom: float = 1.5,
        flip: float = 0.5,
        photometric: float = 0.5,
        pitch: tuple[float, float] = (0.0, 0.0),
        roll: tuple[float, float] = (0.0, 0.0),
        yaw: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        if zoom < 1 or not 0 <= flip <= 1 or not 0 <= photometric <= 1:
            raise ValueError(
                f"augmentation needs zoom {zoom} >= 1, flip {flip} and photometric {photometric} in [0, 1]"
            )
        for name, (low, high) in (("pitch", pitch), ("roll", roll), ("yaw", yaw)):
            if not -45 <= low <= high <= 45:
                raise ValueError(f"augmentation needs {name} [{low}, {high}] to be ascending within [-45, 45] degrees")
        self.zoom, self.flip, self.photometric = zoom, flip, photometric
        self._turns = np.array([pitch, roll, yaw]).T
        self._colours = A.Compose(
            [
                A.ColorJitter(
                    brightness=(0.4, 1.6),
                    contrast=(0.4, 1.6),
                    saturation=(0.0, 1.8),
                    hue=(-0.1, 0.1),
                    p=photometric,
                ),
                A.RandomGamma(gamma_limit=(50, 200), p=photometric),
                A.ToGray(p=photometric / 5),
                A.ChannelShuffle(p=photometric / 5),
                A.OneOf([A.GaussianBlur(sigma_limit=(0.3, 2.0)), A.Sharpen()], p=photometric),
                A.GaussNoise(std_range=(0.01, 0.1), p=photometric),
                A.ImageCompression(quality_range=(30, 90), p=photometric / 2),
            ]
        )

    def __call__(self, frame: Frame, size: tuple[int, int], key: int) -> Sample:
        """Augment a frame and resize it to (height, width). The same key always returns the same sample."""
        zoom, top, left, flip, *turns = np.random.default_rng(key).random(7)
        if self._turns.any():
            low, high = self._turns
            frame = _rotate_camera(frame, geometry.turn(*(low + (high - low) * turns)))
        box = self._crop(frame.image.shape, size, zoom, top, left)
        frame = _crop_and_resize(frame, box, size, _shrink_fast, mirrored=flip < self.flip)
        if self.photometric:
            self._colours.set_random_seed(key % 2**32)
            frame = frame._replace(image=self._colours(image=frame.image)["image"])
        return _sample(frame) | {"key": key}

    def _crop(
        self, shape: tuple[int, ...], size: tuple[int, int], zoom: float, top: float, left: float
    ) -> geometry.Box:
        """Random crop with the aspect ratio of ``size``. ``zoom``, ``top`` and ``left`` are uniform in [0, 1)."""
        side = (1 - zoom * (1 - self.zoom**-2)) ** 0.5
        height = min(shape[0], shape[1] * size[0] / size[1]) * side
        rows, columns = max(1, round(height)), max(1, round(height * size[1] / size[0]))
        first_row, first_column = int(top * (shape[0] - rows + 1)), int(left * (shape[1] - columns + 1))
        return geometry.Box(first_row, first_row + rows, first_column, first_column + columns)


def resized(frame: Frame, size: tuple[int, int], view: geometry.View = "full") -> Sample:
    """Resize a view of a frame to (height, width) for evaluation, and add the ground truth at its own size.

    Raises:
        ValueError: the frame is smaller than the view.
    """
    try:
        box = geometry.view_box(view, (frame.depth.shape[0], frame.depth.shape[1]))
    except ValueError as error:
        raise ValueError(f"{frame.path}: {error}") from error
    truth = {
        "view": view,
        "full_depth": torch.from_numpy(frame.depth)[None],
        "full_size": torch.tensor(frame.depth.shape),
        "box": torch.tensor(box),
        "view_size": torch.tensor(frame.image.shape[:2] if view == "full" else (box[1] - box[0], box[3] - box[2])),
        "full_pair": _pair(frame),
    }
    return _sample(_crop_and_resize(frame, None if view == "full" else box, size, _shrink_by_area)) | truth


def _rotate_camera(frame: Frame, rotation: Array) -> Frame:
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


def _crop_and_resize(
    frame: Frame, box: geometry.Box | None, size: tuple[int, int], shrink: Shrink, mirrored: bool = False
) -> Frame:
    """Crop a frame to a box (or keep all of it) and resize it to (height, width).

    Depth is resized with nearest-neighbour interpolation, which never mixes known and unknown pixels.
    """
    image: Any = frame.image
    maps: list[Any] = [each for each in (frame.depth, frame.inv_depth) if each is not None]
    intrinsics = frame.intrinsics
    if box is not None:
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        image, maps = image[rows, columns], [each[rows, columns] for each in maps]
        intrinsics = geometry.crop(intrinsics, box.left, box.top)
    height, width = image.shape[:2]
    shrinks = size[0] < height or size[1] < width
    image = shrink(image, size) if shrinks else cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    maps = [cv2.resize(each, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) for each in maps]
    intrinsics = geometry.resize(intrinsics, size[1] / width, size[0] / height)
    if mirrored:
        image, maps = cv2.flip(image, 1), [cv2.flip(each, 1) for each in maps]
        intrinsics = geometry.flip(intrinsics, size[1])
    pair = frame.pair
    if pair is not None:
        pair = _map_pair(
            pair, intrinsics @ np.diag([-1 if mirrored else 1, 1, 1]) @ np.linalg.inv(frame.intrinsics), size
        )
    depth, inv_depth = maps if len(maps) == 2 else (maps[0], None)
    return Frame(image, depth, intrinsics, frame.domain, frame.path, pair, inv_depth)


def _map_pair(pair: Array, warp: Array, size: tuple[int, ...]) -> Array:
    """Map an ordinal pair by a homography, (3, 3). The order becomes 0 if a point leaves the image."""
    x, y, scale = warp @ [pair[[1, 3]], pair[[0, 2]], [1, 1]]
    x, y = np.rint(x / scale).astype(np.int64), np.rint(y / scale).astype(np.int64)
    inside = (scale > 0).all() and min(*x, *y) >= 0 and max(y) < size[0] and max(x) < size[1]
    return np.array([y[0], x[0], y[1], x[1], pair[4] if inside else 0])


def _shrink_by_area(image: Array, size: tuple[int, int]) -> Array:
    """Downscale as deployed networks downscale their input."""
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def _shrink_fast(image: Array, size: tuple[int, int]) -> Array:
    """Downscale with antialiasing, twice as fast as INTER_AREA at these sizes."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    return F.interpolate(pixels, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()


def _sample(frame: Frame) -> Sample:
    taught = {} if frame.inv_depth is None else {"inv_depth": torch.from_numpy(frame.inv_depth)[None]}
    return taught | {
        "image": torch.from_numpy(frame.image).permute(2, 0, 1),
        "depth": torch.from_numpy(frame.depth)[None],
        "intrinsics": torch.from_numpy(frame.intrinsics),
        "domain": frame.domain,
        "path": str(frame.path),
        "pair": _pair(frame),
    }


def _pair(frame: Frame) -> torch.Tensor:
    return torch.from_numpy(np.zeros(5, np.int64) if frame.pair is None else frame.pair)
