"""Pre- and postprocessing of images and depth maps. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]
T = TypeVar("T")
_TAKEN = "give an image file, a PIL image, or one RGB array (H, W, 3) as uint8 or as float in [0, 1]"
_ROUNDING = 1e-3  # how far floats may leave [0, 1]


def spread(items: Sequence[T], number: int) -> list[T]:
    """Select at most ``number`` items, evenly spaced from the first to the last."""
    places = np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int)
    return [items[place] for place in dict.fromkeys(places.tolist())]


def check_array(image: object) -> Array:
    """Return an RGB array, (H, W, 3), as uint8 or as float32 in [0, 1].

    Raises:
        TypeError: not an array.
        ValueError: an array of another shape, data type or range of values.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(f"a {type(image).__module__}.{type(image).__qualname__} is not an image; {_TAKEN}")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an array of shape {image.shape} is not RGB (H, W, 3); {_TAKEN}")
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"an array of {image.dtype} is not an image; {_TAKEN}")
    low, high = float(image.min()), float(image.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # also False for NaN
        raise ValueError(f"a float array with values from {low:.4g} to {high:.4g} is not in [0, 1]; {_TAKEN}")
    return image.astype(np.float32)


def to_input(image: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """Convert an image to a network input.

    Args:
        image: RGB, (H, W, 3), uint8 or float in [0, 1].
        size: (height, width) of the network's input.

    Returns:
        float32 in [0, 1], (1, 3, height, width).
    """
    height, width = image.shape[:2]
    pixels: NDArray[Any] = image
    if (height, width) != size:
        shrinks = size[0] < height or size[1] < width
        pixels = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    scale = np.float32(255 if image.dtype == np.uint8 else 1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32) / scale


def to_image_size(prediction: NDArray[np.float32], size: tuple[int, int], predicts: str) -> NDArray[np.float32]:
    """Resize a prediction bilinearly in inverse depth, like ``losses.masked.resize``.

    Args:
        prediction: depth in metres or inverse depth, (h, w).
        size: (height, width) of the result.
        predicts: ``depth`` or ``inverse_depth``.
    """
    inverse: Any = 1 / prediction if predicts == "depth" else prediction
    resized = np.asarray(cv2.resize(inverse, size[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return np.float32(1) / resized if predicts == "depth" else resized
