"""Read predictions: .npy and .npz arrays, whose headers are checked before anything is read, and 16-bit PNGs."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.depth_io import read_depth
from datamodules.reader import CorruptFrameError

MOST_PIXELS = 2**26  # of one prediction: 8192x8192


class _Header(NamedTuple):
    """Shape, memory order and type of an array, and the bytes that are there for its values."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]
    rest: int


class PredictionArrays:
    """Reads predictions. The last file stays open, so that an array of all frames is read once from front to back.

    Args:
        scale: divisor of integer values; None refuses integers.
    """

    def __init__(self, scale: float | None) -> None:
        self.scale = scale
        self._stack = ExitStack()
        self._open: tuple[Path, str] | None = None
        self._stream: IO[bytes]
        self._header: _Header
        self._start: int

    def read(self, file: Path, entry: str = "", index: int | None = None) -> Tensor:
        """Read the prediction of a frame, float64 or float32, (1, 1, h, w).

        Args:
            file: .npy, .npz or .png file.
            entry: name of an array in a .npz file.
            index: index in an array of all frames; None for an array of one frame.

        Raises:
            CorruptFrameError: the file is corrupt, or is not one map of numbers.
            ValueError: integers without a scale, or a scale for other values.
        """
        if file.suffix == ".png":
            if self.scale is None:
                raise ValueError(f"{file}: PNGs need --scale, the divisor of their values (KITTI: 256)")
            return torch.from_numpy(read_depth(file, self.scale))[None, None]
        with _corrupt(file):
            if self._open != (file, entry):
                self._stack.close()
                self._stream = self._stack.enter_context(_opened(file, entry))
                self._header, self._open = _read_header(self._stream, file, entry), (file, entry)
                self._start = self._stream.tell()
            values = self._map(file, self._header, index)
        if values.dtype.kind in "ui" and self.scale is None:
            raise ValueError(f"{file}: holds integers ({values.dtype}); give --scale, their divisor (KITTI: 256)")
        if values.dtype.kind == "f" and self.scale is not None:
            raise ValueError(f"{file}: --scale divides integers, but it holds {values.dtype}; leave out --scale")
        return torch.from_numpy(values.astype(np.float64) / (self.scale or 1))[None, None]

    def _map(self, file: Path, header: _Header, index: int | None) -> NDArray[np.generic]:
        """The map of one frame, (h, w)."""
        shape = header.shape if index is None else header.shape[1:]
        map_shape = _without_ones(shape)
        if len(map_shape) != 2 or 0 in map_shape:
            raise CorruptFrameError(f"{file}: a prediction of shape {shape}, not (h, w)")
        if header.dtype.kind not in "fui":
            raise CorruptFrameError(f"{file}: corrupt prediction (holds {header.dtype}, not numbers)")
        if math.prod(map_shape) > MOST_PIXELS:
            raise CorruptFrameError(f"{file}: a prediction of {map_shape[0]}x{map_shape[1]} is too large")
        if math.prod(header.shape) * header.dtype.itemsize > header.rest:
            raise CorruptFrameError(f"{file}: corrupt prediction (truncated: its header says {header.shape})")
        if index is not None and header.fortran:
            raise CorruptFrameError(f"{file}: is in Fortran order; save numpy.ascontiguousarray(...) of it")
        number = math.prod(map_shape) * header.dtype.itemsize
        self._stream.seek(self._start + (index or 0) * number)
        values = np.frombuffer(self._stream.read(number), header.dtype)
        if index is None:
            self._stream.read(1)  # at the end of a .npz entry its checksum is compared
        return values.reshape(map_shape, order="F" if header.fortran else "C")


def entries(file: Path) -> list[str]:
    """Names of the arrays in a .npz file; one empty name for a .npy file.

    Raises:
        CorruptFrameError: the file is corrupt.
    """
    if file.suffix == ".npy":
        return [""]
    with _corrupt(file), zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    if not names:
        raise CorruptFrameError(f"{file}: corrupt prediction (no array in it)")
    return names


def first_dimension(file: Path, entry: str) -> int | None:
    """Number of maps in an array of all frames, (n, h, w); None for a map, (h, w).

    Raises:
        CorruptFrameError: the file is corrupt.
    """
    with _corrupt(file), _opened(file, entry) as stream:
        shape = _read_header(stream, file, entry).shape
    return shape[0] if len(shape) > 2 else None


@contextmanager
def _corrupt(file: Path) -> Iterator[None]:
    """Turn every error of reading into CorruptFrameError: damaged headers and archives raise many types."""
    try:
        yield
    except CorruptFrameError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise CorruptFrameError(f"{file}: corrupt prediction ({reason})") from error


@contextmanager
def _opened(file: Path, entry: str) -> Iterator[IO[bytes]]:
    """Open an array for reading."""
    if file.suffix == ".npy":
        with file.open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(file) as archive, archive.open(f"{entry or entries(file)[0]}.npy") as member:
        yield member


def _read_header(stream: IO[bytes], file: Path, entry: str) -> _Header:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if file.suffix == ".npy":
        size = file.stat().st_size
    else:
        with zipfile.ZipFile(file) as archive:
            size = archive.getinfo(f"{entry or entries(file)[0]}.npy").file_size
    return _Header(tuple(shape), fortran, dtype, size - stream.tell())


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the leading and trailing dimensions of 1 that it has beyond two."""
    while len(shape) > 2 and 1 in (shape[0], shape[-1]):
        shape = shape[1:] if shape[0] == 1 else shape[:-1]
    return shape
