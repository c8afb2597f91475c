"""Whether a converted file says what its ONNX reference says. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from deploy.inference.images import read_image, to_input

Image: TypeAlias = NDArray[np.float32]
Predict: TypeAlias = Callable[[Image], NDArray[np.float32]]  # (1, 3, height, width) -> (1, 1, h, w)


def largest_difference(reference: Predict, other: Predict, images: Iterable[Image]) -> float:
    """The largest difference of depth, as a share of the depth; of inverse depth, as a share of the image's largest."""
    worst = 0.0
    for image in images:
        expected = reference(image)
        unit = expected if expected.min() > 0 else np.abs(expected).max()
        worst = max(worst, float(np.abs((other(image) - expected) / unit).max()))
    return worst


def random_images(size: tuple[int, int], number: int = 3) -> list[Image]:
    """Noise, the same every time, (1, 3, height, width) each."""
    generator = np.random.default_rng(0)
    return [generator.random((1, 3, *size), dtype=np.float32) for _ in range(number)]


def read_inputs(paths: Sequence[Path], size: tuple[int, int]) -> Iterable[Image]:
    """Each image as a network of this size takes it."""
    return (to_input(read_image(path), size) for path in paths)
