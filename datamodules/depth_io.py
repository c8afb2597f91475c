"""Files -> arrays and back. The only file that knows how depth is encoded."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import scipy.io
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from datamodules.reader import CorruptFrameError

VKITTI_UNITS_PER_METRE = 100.0
KITTI_UNITS_PER_METRE = 256.0
MILLIMETRES_PER_METRE = 1000.0
TUM_UNITS_PER_METRE = 5000.0
LABEL_UNITS = 65535.0
_UNITS = (VKITTI_UNITS_PER_METRE, KITTI_UNITS_PER_METRE, MILLIMETRES_PER_METRE, TUM_UNITS_PER_METRE, LABEL_UNITS)

_JPEG, _PNG, _PNG_END = b"\xff\xd8", b"\x89PNG", b"IEND\xaeB`\x82"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB uint8, (H, W, 3). Raises CorruptFrameError."""
    return decode_image(_read_bytes(path, "image"), path)


def decode_image(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode a JPEG or a PNG as RGB uint8, (H, W, 3).

    Args:
        data: the file's content.
        path: the file, to name in an error.

    Raises:
        CorruptFrameError: truncated, or no image.
    """
    try:
        if data.startswith(_JPEG) and simplejpeg.decode_jpeg_header(data)[2] not in ("CMYK", "YCCK"):
            return np.asarray(simplejpeg.decode_jpeg(data))
        if data.startswith(_PNG):
            pixels = _decode_png(data)
            if pixels.dtype == np.uint8 and pixels.shape[2:] == (3,):
                return pixels
        return np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        reason = "no image" if isinstance(error, UnidentifiedImageError) else error  # its own names an address
        raise CorruptFrameError(f"{path}: corrupt image ({reason})") from error


def read_vkitti_depth(path: Path) -> NDArray[np.float32]:
    """Read Virtual KITTI depth, uint16 centimetres: float32 metres, (H, W); the sky is 655.35 m."""
    return read_depth(path, VKITTI_UNITS_PER_METRE)


def write_vkitti_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as Virtual KITTI does; beyond 655.35 m is the sky."""
    write_depth(path, depth, VKITTI_UNITS_PER_METRE)


def read_kitti_depth(path: Path) -> NDArray[np.float32]:
    """Read KITTI's annotated depth, uint16 in 1/256 m: float32 metres, (H, W), 0 where unknown.

    Raises:
        CorruptFrameError: also where nothing is farther than 1 m, because then somebody saved 8 bits.
    """
    depth = read_depth(path, KITTI_UNITS_PER_METRE)
    if 0 < depth.max() < 1:
        raise CorruptFrameError(f"{path}: no value above 255: somebody saved 8 bits of depth in a 16-bit PNG")
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
    return np.where(units == invalid, np.float32(0), units / np.float32(MILLIMETRES_PER_METRE))


def write_millimetres(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as uint16 millimetres; farther than 65.535 m is cut to that."""
    write_depth(path, depth, MILLIMETRES_PER_METRE)


def read_tum_depth(path: Path) -> NDArray[np.float32]:
    """Read TUM RGB-D depth, uint16 in 1/5000 m: float32 metres, (H, W), 0 where unknown."""
    return read_depth(path, TUM_UNITS_PER_METRE)


def write_tum_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as TUM RGB-D does; farther than 13.107 m is cut to that."""
    write_depth(path, depth, TUM_UNITS_PER_METRE)


def read_label(path: Path) -> NDArray[np.float32]:
    """Read a teacher's inverse depth up to scale and shift: float32 in (0, 1], (H, W), 0 where unknown."""
    return read_depth(path, LABEL_UNITS)


def write_label(path: Path, inv_depth: NDArray[np.float32]) -> None:
    """Write a teacher's inverse depth up to scale and shift, (H, W), as a 16-bit one-channel PNG, brought to (0, 1]."""
    low, high = float(inv_depth.min()), float(inv_depth.max())
    share = (inv_depth.astype(np.float64) - low) / max(high - low, 1e-30)
    write_depth(path, ((1 + share * (LABEL_UNITS - 1)) / LABEL_UNITS).astype(np.float32), LABEL_UNITS)


def read_depth(path: Path, units_per_metre: float) -> NDArray[np.float32]:
    """Read a 16-bit one-channel PNG: float32 metres, (H, W). Raises CorruptFrameError."""
    return np.divide(_read_uint16(path), np.float32(units_per_metre), dtype=np.float32)


def write_depth(path: Path, depth: NDArray[np.float32], units_per_metre: float) -> None:
    """Write depth in metres, (H, W), as a 16-bit one-channel PNG; what is too far for 16 bits is cut."""
    units = np.rint(depth.astype(np.float64) * units_per_metre)
    Image.fromarray(units.clip(0, 65535).astype(np.uint16)).save(path)


def encode_depth(depth: NDArray[np.float32]) -> tuple[bytes, float]:
    """Depth in metres, (H, W), without loss: its bytes, and the units per metre of the integers in them, 0 where it
    fits none of the data sets' and is kept in float32.
    """
    for units_per_metre in _UNITS:
        units = np.rint(depth * np.float32(units_per_metre)).clip(0, 65535).astype(np.uint16)
        if np.array_equal(np.divide(units, np.float32(units_per_metre), dtype=np.float32), depth):
            return _pack(units), units_per_metre
    return _pack(depth), 0.0


def decode_depth(data: bytes, units_per_metre: float) -> NDArray[np.float32]:
    """What ``encode_depth`` was given. Raises ValueError or RuntimeError where the data is corrupt."""
    values: NDArray[Any] = np.load(BytesIO(imagecodecs.zstd_decode(data)), allow_pickle=False)
    return np.divide(values, np.float32(units_per_metre), dtype=np.float32) if units_per_metre else values


def encode_image(image: NDArray[np.uint8]) -> bytes:
    """RGB uint8, (H, W, 3), as a PNG."""
    return bytes(imagecodecs.png_encode(image))


def read_mat(path: Path, name: str) -> NDArray[Any]:
    """Read an array of a MATLAB file before version 7.3. Raises CorruptFrameError."""
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such .mat file")
    try:
        return np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    except Exception as error:  # scipy raises whatever a corrupt byte leads to, TypeError and zlib.error among it
        raise CorruptFrameError(f"{path}: corrupt .mat file, or without {name} ({error})") from error


def _pack(values: NDArray[Any]) -> bytes:
    """zstd at this level is as small as a PNG and decodes in a fifth of its time."""
    buffer = BytesIO()
    np.save(buffer, values)
    return bytes(imagecodecs.zstd_encode(buffer.getvalue(), level=12))


def _read_uint16(path: Path) -> NDArray[np.uint16]:
    data = _read_bytes(path, "depth file")
    try:
        values = _decode_png(data)
    except (OSError, ValueError, RuntimeError) as error:
        raise CorruptFrameError(f"{path}: corrupt depth file ({error})") from error
    if values.dtype != np.uint16 or values.ndim != 2:
        bits, channels = 8 * values.itemsize, 1 if values.ndim == 2 else values.shape[2]
        raise CorruptFrameError(
            f"{path}: depth must be a 16-bit PNG of one channel, this one has {bits} bits and {channels} channels"
        )
    return values


def _decode_png(data: bytes) -> NDArray[Any]:
    """Raises an OSError, ValueError or RuntimeError where the data is no PNG, or corrupt."""
    if _PNG_END not in data[-1024:]:  # the decoder does not ask for it
        raise OSError("truncated: its end is missing" if data.startswith(_PNG) else "not a PNG")
    return np.asarray(imagecodecs.png_decode(data))


def _read_bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorruptFrameError(f"{path}: no such {what}") from None
    except OSError as error:
        raise CorruptFrameError(f"{path}: unreadable {what} ({error.strerror})") from error
