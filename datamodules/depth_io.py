"""Read and write depth maps. All depth encodings are defined in this file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from datamodules.image_files import decode_png, read_bytes
from datamodules.reader import CorruptFrameError

VKITTI_UNITS_PER_METRE = 100.0
KITTI_UNITS_PER_METRE = 256.0
MILLIMETRES_PER_METRE = 1000.0
TUM_UNITS_PER_METRE = 5000.0
LABEL_UNITS = 65535.0
_NPY_HEADER = 128  # bytes
_MAT_MB = 4  # of the files of Make3D and NYU the largest has 1 MB
_MAT_VALUES = 2**24
_UNITS = (VKITTI_UNITS_PER_METRE, KITTI_UNITS_PER_METRE, MILLIMETRES_PER_METRE, TUM_UNITS_PER_METRE, LABEL_UNITS)


def read_vkitti_depth(path: Path) -> NDArray[np.float32]:
    """Read Virtual KITTI depth (uint16, centimetres) as float32 metres, (H, W). The sky is 655.35 m."""
    return read_depth(path, VKITTI_UNITS_PER_METRE)


def write_vkitti_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), in the encoding of Virtual KITTI. Depth is clipped to 655.35 m, the sky."""
    write_depth(path, depth, VKITTI_UNITS_PER_METRE)


def read_kitti_depth(path: Path) -> NDArray[np.float32]:
    """Read KITTI's annotated depth (uint16, 1/256 m) as float32 metres, (H, W), 0 where unknown.

    Raises:
        CorruptFrameError: the file is missing, unreadable or corrupt, or no depth reaches 1 m, which means that the PNG
            was saved with 8-bit values.
    """
    depth = read_depth(path, KITTI_UNITS_PER_METRE)
    if 0 < depth.max() < 1:
        raise CorruptFrameError(f"{path}: no value above 255: the 16-bit PNG contains 8-bit depth")
    return depth


def write_kitti_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), in the encoding of KITTI's annotated depth. Depth is clipped to 255.99 m."""
    write_depth(path, depth, KITTI_UNITS_PER_METRE)


def read_millimetres(path: Path, invalid: int = 0) -> NDArray[np.float32]:
    """Read depth in millimetres (uint16) as float32 metres, (H, W), 0 where unknown.

    Args:
        path: path of the PNG.
        invalid: value that means unknown, in addition to 0 (7-Scenes: 65535).
    """
    units = _read_uint16(path)
    return np.where(units == invalid, np.float32(0), units / np.float32(MILLIMETRES_PER_METRE))


def write_millimetres(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), as uint16 millimetres. Depth is clipped to 65.535 m."""
    write_depth(path, depth, MILLIMETRES_PER_METRE)


def read_tum_depth(path: Path) -> NDArray[np.float32]:
    """Read TUM RGB-D depth (uint16, 1/5000 m) as float32 metres, (H, W), 0 where unknown."""
    return read_depth(path, TUM_UNITS_PER_METRE)


def write_tum_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write depth in metres, (H, W), in the encoding of TUM RGB-D. Depth is clipped to 13.107 m."""
    write_depth(path, depth, TUM_UNITS_PER_METRE)


def read_label(path: Path) -> NDArray[np.float32]:
    """Read a teacher's inverse depth up to scale and shift as float32 in (0, 1], (H, W), 0 where unknown."""
    return read_depth(path, LABEL_UNITS)


def write_label(path: Path, inv_depth: NDArray[np.float32]) -> None:
    """Write a teacher's inverse depth up to scale and shift, (H, W), as a 16-bit greyscale PNG, rescaled to (0, 1]."""
    low, high = float(inv_depth.min()), float(inv_depth.max())
    share = (inv_depth.astype(np.float64) - low) / max(high - low, 1e-30)
    write_depth(path, ((1 + share * (LABEL_UNITS - 1)) / LABEL_UNITS).astype(np.float32), LABEL_UNITS)


def read_depth(path: Path, units_per_metre: float) -> NDArray[np.float32]:
    """Read a 16-bit greyscale PNG as float32 metres, (H, W).

    Raises:
        CorruptFrameError: the file is missing, unreadable, corrupt or not a 16-bit greyscale PNG.
    """
    return np.divide(_read_uint16(path), np.float32(units_per_metre), dtype=np.float32)


def write_depth(path: Path, depth: NDArray[np.float32], units_per_metre: float) -> None:
    """Write depth in metres, (H, W), as a 16-bit greyscale PNG. Depth beyond the range is clipped."""
    units = np.rint(depth.astype(np.float64) * units_per_metre)
    Image.fromarray(units.clip(0, 65535).astype(np.uint16)).save(path)


def encode_depth(depth: NDArray[np.float32]) -> tuple[bytes, float]:
    """Compress depth in metres, (H, W), without loss.

    Returns:
        The bytes and their units per metre. The units are 0 if the depth fits no integer encoding and is stored as
        float32.
    """
    for units_per_metre in _UNITS:
        units = np.rint(depth * np.float32(units_per_metre)).clip(0, 65535).astype(np.uint16)
        if np.array_equal(np.divide(units, np.float32(units_per_metre), dtype=np.float32), depth):
            return _pack(units), units_per_metre
    return _pack(depth), 0.0


def decode_depth(data: bytes, units_per_metre: float, most_pixels: int) -> NDArray[np.float32]:
    """Decompress the output of :func:`encode_depth`.

    Args:
        data: the bytes.
        units_per_metre: units of the values.
        most_pixels: largest possible number of pixels; more are not decompressed.

    Raises:
        Exception: the data is corrupt. The type depends on the damage.
    """
    stream = BytesIO(imagecodecs.zstd_decode(data, out=_NPY_HEADER + 4 * most_pixels))
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)  # np.load allocates what a corrupt header claims
    if dtype not in (np.uint16, np.float32):
        raise ValueError(f"depth of type {dtype}")
    values: NDArray[Any] = np.frombuffer(stream.getvalue(), dtype, offset=stream.tell()).reshape(shape)
    return np.divide(values, np.float32(units_per_metre), dtype=np.float32) if units_per_metre else values


def read_mat(path: Path, name: str) -> NDArray[Any]:
    """Read an array from a MATLAB file older than version 7.3.

    Raises:
        CorruptFrameError: the file is missing, too large or corrupt, or has no such array.
    """
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such .mat file")
    try:
        if path.stat().st_size > _MAT_MB * 2**20:
            raise ValueError(f"{path.stat().st_size / 2**20:.0f} MB, at most {_MAT_MB} are read")
        shapes = {found: shape for found, shape, _ in scipy.io.whosmat(path)}  # reads headers
        if (values := np.prod(shapes[name], dtype=float)) > _MAT_VALUES:
            raise ValueError(f"{values:.0f} values, at most {_MAT_VALUES} are read")
        return np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    except Exception as error:  # scipy raises many types for corrupt data, e.g. TypeError and zlib.error
        raise CorruptFrameError(f"{path}: corrupt .mat file, or no array {name} in it ({error})") from error


def _pack(values: NDArray[Any]) -> bytes:
    """Compress with zstd. At this level it is as small as PNG and decodes five times as fast."""
    buffer = BytesIO()
    np.save(buffer, values)
    return bytes(imagecodecs.zstd_encode(buffer.getvalue(), level=12))


def _read_uint16(path: Path) -> NDArray[np.uint16]:
    data = read_bytes(path, "depth file")
    try:
        values = decode_png(data)
    except Exception as error:  # decoders raise many types for corrupt data
        raise CorruptFrameError(f"{path}: corrupt depth file ({error})") from error
    if values.dtype != np.uint16 or values.ndim != 2:
        bits, channels = 8 * values.itemsize, 1 if values.ndim == 2 else values.shape[2]
        raise CorruptFrameError(
            f"{path}: depth must be a 16-bit PNG with 1 channel, found {bits} bits and {channels} channels"
        )
    return values
