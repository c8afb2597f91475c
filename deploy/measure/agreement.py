"""Numerical agreement of a converted file with its reference. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deploy.inference.images import to_input
from lightning_app.image_files import read_image

Image: TypeAlias = NDArray[np.float32]
Run: TypeAlias = Callable[[Image], NDArray[np.float32]]  # (1, 3, height, width) in [0, 1] -> (1, 1, h, w)


def largest_difference(reference: Run, other: Run, images: Iterable[Image], predicts: str) -> float:
    """Return the largest :func:`relative_difference` of two networks over the images; NaN if an output contains NaN."""
    return float(np.max([relative_difference(reference(image), other(image), predicts).max() for image in images]))


def relative_difference(expected: NDArray[Any], found: NDArray[Any], predicts: str) -> NDArray[Any]:
    """Absolute difference per pixel, relative to the expected depth.

    Inverse depth can be 0, so its difference is relative to the maximum of the image.

    Args:
        expected: output of the reference.
        found: output of the other network, of the same shape.
        predicts: ``depth`` or ``inverse_depth``.

    Returns:
        Relative differences, of the same shape.
    """
    positive = predicts == "depth" and expected.min() > 0
    unit = expected if positive else max(np.abs(expected).max(), 1e-30)
    return np.asarray(np.abs(found - expected) / unit)


def random_images(size: tuple[int, int], number: int = 3) -> list[Image]:
    """Images of uniform noise in [0, 1) from a fixed seed, (1, 3, height, width) each."""
    generator = np.random.default_rng(0)
    return [generator.random((1, 3, *size), dtype=np.float32) for _ in range(number)]


def read_inputs(paths: Sequence[Path], size: tuple[int, int]) -> Iterable[Image]:
    """Read images as network inputs of the given size, (1, 3, height, width) each."""
    return (to_input(read_image(path), size) for path in paths)
