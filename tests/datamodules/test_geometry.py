"""A plane seen through any chain of crop, resize and flip must be projected by the intrinsics that come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datamodules import Augmentation, Frame, geometry
from datamodules.augmentation import resized

K = np.array([[300, 0, 155.3], [0, 310, 93.7], [0, 0, 1]], np.float32)


def slanted_plane(intrinsics: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
    """Depth of the plane n . X = 1 at each pixel centre."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    rays = np.linalg.inv(intrinsics.astype(np.float64)) @ np.stack([columns, rows, np.ones(size)]).reshape(3, -1)
    return np.asarray(1 / (np.array([0.01, 0.02, 0.1]) @ rays).reshape(size))


@given(st.lists(st.sampled_from(["crop", "resize", "flip"]), min_size=1, max_size=5), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_pixels_of_a_point_follow_the_intrinsics(steps: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    intrinsics, width = K, 320.0
    point = np.array([random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(4, 9)])
    u, v, w = K @ point
    pixel = np.array([u / w, v / w])
    mirrored = False
    for step in steps:
        if step == "crop":
            left, top = random.integers(0, 9, 2)
            intrinsics, pixel, width = geometry.crop(intrinsics, left, top), pixel - [left, top], width - left
        elif step == "resize":
            scale = random.uniform(0.5, 2, 2)
            scale[0] = round(width * scale[0]) / width
            intrinsics = geometry.resize(intrinsics, *scale)
            pixel, width = scale * (pixel + 0.5) - 0.5, width * scale[0]
        else:
            intrinsics, mirrored = geometry.flip(intrinsics, int(width)), not mirrored
            pixel = np.array([int(width) - 1 - pixel[0], pixel[1]])
    u, v, w = intrinsics @ (point * [-1, 1, 1] if mirrored else point)
    np.testing.assert_allclose([u / w, v / w], pixel, atol=2e-3)


@pytest.mark.parametrize("key", range(12))
def test_augmented_plane_fits_its_intrinsics(key: int) -> None:
    size = (192, 320)
    depth = slanted_plane(K, size).astype(np.float32)
    frame = Frame(np.zeros((*size, 3), np.uint8), depth, K, "real", Path("x"))
    sample = Augmentation(zoom=1.6, flip=0.5)(frame, (96, 160), key)
    rows, columns = np.mgrid[:96, :160]
    rays = np.linalg.inv(sample["intrinsics"].numpy().astype(np.float64)) @ np.stack(
        [columns, rows, np.ones((96, 160))]
    ).reshape(3, -1)
    # A flip mirrors the world: of the two planes, the one that fits better is meant.
    fits = [
        np.abs(1 / (np.array([sign * 0.01, 0.02, 0.1]) @ rays).reshape(96, 160) / sample["depth"][0].numpy() - 1).max()
        for sign in (1, -1)
    ]
    assert min(fits) < 2e-3, fits


def test_resized_plane_fits_its_intrinsics() -> None:
    depth = slanted_plane(K, (192, 320)).astype(np.float32)
    frame = Frame(np.zeros((192, 320, 3), np.uint8), depth, K, "real", Path("x"))
    sample = resized(frame, (64, 96))
    expected = slanted_plane(sample["intrinsics"].numpy(), (64, 96))
    np.testing.assert_allclose(sample["depth"][0].numpy(), expected, rtol=2e-3)
    np.testing.assert_array_equal(sample["full_depth"][0].numpy(), depth)
