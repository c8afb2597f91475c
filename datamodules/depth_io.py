"""Files -> arrays and back. The only file that knows how depth is encoded.

Pillow decodes, because it refuses a truncated file where OpenCV returns what it could read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from datamodules.reader import DamagedFrameError

VKITTI_UNITS_PER_METRE = 100.0
KITTI_UNITS_PER_METRE = 256.0
MILLIMETRES_PER_METRE = 1000.0
TUM_UNITS_PER_METRE = 5000.0


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
    return read_depth(path, VKITTI_UNITS_PER_METRE)


def write_vkitti_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as Virtual KITTI does; beyond 655.35 m is the sky."""
    write_depth(path, depth, VKITTI_UNITS_PER_METRE)


def read_kitti_depth(path: Path) -> NDArray[np.float32]:
    """Read KITTI's annotated depth, uint16 in 1/256 m: float32 metres, (H, W), 0 where unknown.

    Raises:
        DamagedFrameError: also where nothing is farther than 1 m, because then somebody saved 8 bits.
    """
    depth = read_depth(path, KITTI_UNITS_PER_METRE)
    if 0 < depth.max() < 1:
        raise DamagedFrameError(f"{path}: no value above 255: somebody saved 8 bits of depth in a 16-bit PNG")
    return depth


def write_kitti_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as KITTI's annotated depth; farther than 255.99 m is cut to that."""
    write_depth(path, depth, KITTI_UNITS_PER_METRE)


def read_millimetres(path: Path, invalid: int = 0) -> NDArray[np.float32]:
    """Read uint16 millimetres: float32 metres, (H, W), 0 where unknown.

    Args:
        path: the file.
        invalid: the value that stands for unknown beside 0 (7-Scenes: 65535).
    """
    units = _read_uint16(path)
    return np.where(units == invalid, np.float32(0), units.astype(np.float32) / np.float32(MILLIMETRES_PER_METRE))


def write_millimetres(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as uint16 millimetres; farther than 65.535 m is cut to that."""
    write_depth(path, depth, MILLIMETRES_PER_METRE)


def read_tum_depth(path: Path) -> NDArray[np.float32]:
    """Read TUM RGB-D depth, uint16 in 1/5000 m: float32 metres, (H, W), 0 where unknown."""
    return read_depth(path, TUM_UNITS_PER_METRE)


def write_tum_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as TUM RGB-D does; farther than 13.107 m is cut to that."""
    write_depth(path, depth, TUM_UNITS_PER_METRE)


def read_depth(path: Path, units_per_metre: float) -> NDArray[np.float32]:
    """Read a 16-bit one-channel PNG: float32 metres, (H, W). Raises DamagedFrameError."""
    return _read_uint16(path).astype(np.float32) / np.float32(units_per_metre)


def write_depth(path: Path, depth: NDArray[np.float32], units_per_metre: float) -> None:
    """Write depth in metres, (H, W), as a 16-bit one-channel PNG; what is too far for 16 bits is cut."""
    units = np.rint(depth.astype(np.float64) * units_per_metre)
    Image.fromarray(units.clip(0, 65535).astype(np.uint16)).save(path)


def read_mat(path: Path, name: str) -> NDArray[Any]:
    """Read an array of a MATLAB file before version 7.3. Raises DamagedFrameError."""
    if not path.is_file():
        raise DamagedFrameError(f"{path}: no such .mat file")
    try:
        return np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    except Exception as error:  # scipy raises whatever a damaged byte leads to, TypeError and zlib.error among it
        raise DamagedFrameError(f"{path}: damaged .mat file, or without {name} ({error})") from error


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
