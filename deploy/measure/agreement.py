"""Whether a converted file computes what its reference does. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deploy.inference.images import read_image, to_input

Image: TypeAlias = NDArray[np.float32]
Run: TypeAlias = Callable[[Image], NDArray[np.float32]]  # (1, 3, height, width) in [0, 1] -> (1, 1, h, w)


def largest_difference(reference: Run, other: Run, images: Iterable[Image], predicts: str) -> float:
    """The largest :func:`relative_difference` of two networks on these images; NaN if either gives one."""
    return float(np.max([relative_difference(reference(image), other(image), predicts).max() for image in images]))


def relative_difference(expected: NDArray[Any], found: NDArray[Any], predicts: str) -> NDArray[Any]:
    """The absolute difference of each pixel's depth, as a share of the depth; of inverse depth, as a share of the
    image's largest, because it may be 0.

    Args:
        expected: the reference's output.
        found: the other network's, of the same shape.
        predicts: ``depth`` or ``inverse_depth``.
    """
    positive = predicts == "depth" and expected.min() > 0
    unit = expected if positive else max(np.abs(expected).max(), 1e-30)
    return np.asarray(np.abs(found - expected) / unit)


def random_images(size: tuple[int, int], number: int = 3) -> list[Image]:
    """Noise, the same every time, (1, 3, height, width) each."""
    generator = np.random.default_rng(0)
    return [generator.random((1, 3, *size), dtype=np.float32) for _ in range(number)]


def read_inputs(paths: Sequence[Path], size: tuple[int, int]) -> Iterable[Image]:
    """Each image as a network of this size takes it."""
    return (to_input(read_image(path), size) for path in paths)
