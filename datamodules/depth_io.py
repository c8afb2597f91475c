"""Files -> arrays. The only file that knows how depth is encoded.

Pillow decodes, because it refuses a truncated file where OpenCV returns what it could read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datamodules.reader import DamagedFrameError

VKITTI_UNITS_PER_METRE = 100.0


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB uint8, (H, W, 3). Raises DamagedFrameError."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        raise DamagedFrameError(f"{path}: no such image") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedFrameError(f"{path}: damaged image ({error})") from error


def read_vkitti_depth(path: Path) -> NDArray[np.float32]:
    """Read Virtual KITTI depth, uint16 centimetres: float32 metres, (H, W); the sky is 655.35 m."""
    return _read_uint16(path).astype(np.float32) / np.float32(VKITTI_UNITS_PER_METRE)


def write_vkitti_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as Virtual KITTI does; beyond 655.35 m is the sky."""
    units = np.rint(depth.astype(np.float64) * VKITTI_UNITS_PER_METRE)
    Image.fromarray(units.clip(0, 65535).astype(np.uint16)).save(path)


def _read_uint16(path: Path) -> NDArray[np.uint16]:
    try:
        with Image.open(path) as image:
            mode, values = image.mode, np.asarray(image)
    except FileNotFoundError:
        raise DamagedFrameError(f"{path}: no such depth file") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedFrameError(f"{path}: damaged depth file ({error})") from error
    if not mode.startswith("I;16"):
        raise DamagedFrameError(f"{path}: depth must be a 16-bit one-channel PNG, this one is {mode} ({values.dtype})")
    return values.astype(np.uint16)
