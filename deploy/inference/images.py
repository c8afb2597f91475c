"""Pre- and postprocessing of images and depth maps. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]
T = TypeVar("T")
SUFFIXES = {".jpg", ".jpeg", ".png"}


def find_images(source: Path) -> list[Path]:
    """List the images of a folder and its subfolders, or return a single image file as it is.

    16-bit grayscale PNGs are skipped, because they are depth maps.

    Raises:
        FileNotFoundError: the path is missing, or the folder contains no image.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f"{source}: no such image or folder")
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    paths = [path for path in found if not _is_depth_map(path)]
    if not paths:
        raise FileNotFoundError(f"{source}: no .jpg, .jpeg or .png file in it")
    return paths


def spread(items: Sequence[T], number: int) -> list[T]:
    """Select at most ``number`` items, evenly spaced from the first to the last."""
    places = np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int)
    return [items[place] for place in dict.fromkeys(places.tolist())]


def _is_depth_map(path: Path) -> bool:
    """Whether the header is that of a 16-bit grayscale PNG. A corrupt file is reported later, by the image reader."""
    if path.suffix.lower() != ".png":
        return False
    with path.open("rb") as stream:
        head = stream.read(26)
    return head[12:16] == b"IHDR" and head[24] == 16 and head[25] == 0


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB uint8, (H, W, 3).

    Raises:
        OSError: the file is corrupt or not an image.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f"{path}: corrupt image ({error})") from error


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
