"""Frames -> samples of one size: augmented for training, resized for evaluation."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for its newest version

import albumentations as A
import cv2
import numpy as np
import torch

from datamodules import geometry
from datamodules.reader import Frame

Sample = dict[str, Any]


class Augmentation:
    """Random zoom, flip and photometric noise; the intrinsics follow the geometry.

    Args:
        zoom: the smallest crop is 1/zoom of the frame's width; 1 crops nothing.
        flip: probability of a left-right flip.
        photometric: probability of brightness, contrast, colour, gamma, blur and noise, each drawn by itself.

    Raises:
        ValueError: a zoom below 1 or a probability outside [0, 1].
    """

    def __init__(self, zoom: float = 1.5, flip: float = 0.5, photometric: float = 0.5) -> None:
        if zoom < 1 or not 0 <= flip <= 1 or not 0 <= photometric <= 1:
            raise ValueError(
                f"augmentation needs zoom {zoom} >= 1, flip {flip} and photometric {photometric} in [0, 1]"
            )
        self.zoom, self.flip, self.photometric = zoom, flip, photometric
        self._pipelines: dict[tuple[int, int], A.Compose] = {}

    def __call__(self, frame: Frame, size: tuple[int, int], key: int) -> Sample:
        """Augment a frame to (height, width); the same key gives the same sample."""
        if size not in self._pipelines:
            self._pipelines[size] = self._pipeline(size)
        pipeline = self._pipelines[size]
        pipeline.set_random_seed(key % 2**32)
        result = pipeline(image=frame.image, mask=frame.depth)
        applied = dict(result["applied_transforms"])
        left, top, right, bottom = applied["RandomResizedCrop"]["crop_coords"]
        intrinsics = geometry.crop(frame.intrinsics, left, top)
        intrinsics = geometry.resize(intrinsics, size[1] / (right - left), size[0] / (bottom - top))
        if "HorizontalFlip" in applied:
            intrinsics = geometry.flip(intrinsics, size[1])
        return _sample(frame, result["image"], result["mask"], intrinsics) | {"key": key}

    def _pipeline(self, size: tuple[int, int]) -> A.Compose:
        ratio = size[1] / size[0]
        p = self.photometric
        return A.Compose(
            [
                A.RandomResizedCrop(
                    size,
                    scale=(1 / self.zoom**2, 1.0),
                    ratio=(ratio, ratio),
                    mask_interpolation=cv2.INTER_NEAREST_EXACT,
                    area_for_downscale="image",
                ),
                A.HorizontalFlip(p=self.flip),
                A.ColorJitter(
                    brightness=(0.6, 1.4), contrast=(0.6, 1.4), saturation=(0.5, 1.5), hue=(-0.05, 0.05), p=p
                ),
                A.RandomGamma(gamma_limit=(60, 160), p=p),
                A.GaussianBlur(sigma_limit=(0.3, 1.5), p=p / 2),
                A.GaussNoise(std_range=(0.01, 0.06), p=p),
            ],
            save_applied_params=True,
        )


def resized(frame: Frame, size: tuple[int, int], view: geometry.View = "full") -> Sample:
    """A view of a frame at (height, width) as evaluation needs it, with the truth at its own size beside it."""
    box = geometry.view_box(view, (frame.depth.shape[0], frame.depth.shape[1]))
    truth = {
        "view": view,
        "full_depth": torch.from_numpy(frame.depth)[None],
        "full_size": torch.tensor(frame.depth.shape),
        "box": torch.tensor(box),
        "pair": torch.from_numpy(np.zeros(5, np.int64) if frame.pair is None else frame.pair),
    }
    if view != "full":
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        intrinsics = geometry.crop(frame.intrinsics, box.left, box.top)
        frame = frame._replace(
            image=frame.image[rows, columns], depth=frame.depth[rows, columns], intrinsics=intrinsics
        )
    height, width = frame.image.shape[:2]
    shrinks = size[0] < height or size[1] < width
    image = cv2.resize(frame.image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    depth = cv2.resize(frame.depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    intrinsics = geometry.resize(frame.intrinsics, size[1] / width, size[0] / height)
    return _sample(frame, image, depth, intrinsics) | truth


def _sample(frame: Frame, image: Any, depth: Any, intrinsics: geometry.Intrinsics) -> Sample:
    return {
        "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
        "depth": torch.from_numpy(np.ascontiguousarray(depth))[None],
        "valid": torch.from_numpy(np.ascontiguousarray(depth > 0))[None],
        "intrinsics": torch.from_numpy(intrinsics),
        "domain": frame.domain,
        "path": str(frame.path),
    }
