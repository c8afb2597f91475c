"""Frames -> samples of one size: augmentation for training, resizing for evaluation."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it checks for updates online

import albumentations as A
import numpy as np
import torch
from numpy.typing import NDArray

from datamodules import geometry
from datamodules.reader import Frame
from datamodules.transforms import crop_and_resize, rotate_camera, shrink_by_area, shrink_fast

Sample = dict[str, Any]
Array = NDArray[Any]


class Augmentation:
    """Random camera rotation, zoom, flip and photometric noise. Depth, intrinsics and neighbours are transformed, too.

    Frames with neighbours are not rotated, as the pixels that their camera did not see are mirrored ones.

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
        if self._turns.any() and not frame.neighbours:
            low, high = self._turns
            frame = rotate_camera(frame, geometry.turn(*(low + (high - low) * turns)))
        box = self._crop(frame.image.shape, size, zoom, top, left)
        frame = crop_and_resize(frame, box, size, shrink_fast, mirrored=flip < self.flip)
        views = _views(frame)  # before photometric noise
        if self.photometric:
            self._colours.set_random_seed(key % 2**32)
            frame = frame._replace(image=self._colours(image=frame.image)["image"])
        return _sample(frame) | views | {"key": key}

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
    return _sample(crop_and_resize(frame, None if view == "full" else box, size, shrink_by_area)) | truth


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


def _views(frame: Frame) -> Sample:
    """The image and its neighbours; empty without neighbours."""
    if not frame.neighbours:
        return {}
    poses = [np.eye(4, dtype=np.float32) if each.pose is None else each.pose for each in frame.neighbours]
    images = np.stack([frame.image, *(each.image for each in frame.neighbours)])
    return {
        "views": torch.from_numpy(images).permute(0, 3, 1, 2),
        "view_intrinsics": torch.from_numpy(np.stack([each.intrinsics for each in frame.neighbours])),
        "poses": torch.from_numpy(np.stack(poses)),
        "pose_known": torch.tensor([each.pose is not None for each in frame.neighbours]),
        "has_view": torch.ones(len(frame.neighbours), dtype=torch.bool),
    }


def _pair(frame: Frame) -> torch.Tensor:
    return torch.from_numpy(np.zeros(5, np.int64) if frame.pair is None else frame.pair)
