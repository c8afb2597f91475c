"""What every data set gives: frames."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Domain = Literal["synthetic", "real"]


class DamagedFrameError(RuntimeError):
    """A frame that cannot be used as it lies on disk: truncated, of the wrong encoding, without its calibration."""


class Frame(NamedTuple):
    """One frame as read, at its own size.

    Attributes:
        image: RGB uint8, (H, W, 3).
        depth: float32 metres, (H, W), 0 where unknown.
        intrinsics: float32, (3, 3), pixels; pixel centres at integer coordinates.
        domain: ``synthetic`` or ``real``.
        path: the image's file.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: NDArray[np.float32]
    domain: Domain
    path: Path


class Reader(ABC):
    """A sequence of frames. Files are looked for when the first frame or the length is asked for, not before."""

    @abstractmethod
    def scan(self) -> list[Any]:
        """Find the frames: one entry each, whose first item is the image's path."""

    @abstractmethod
    def read(self, entry: Any) -> Frame:
        """Read one entry of ``scan``; raises DamagedFrameError."""

    @cached_property
    def entries(self) -> list[Any]:
        """The frames that were found, in a fixed order."""
        return self.scan()

    @property
    def paths(self) -> list[Path]:
        """The image files, in the same order."""
        return [entry[0] for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Frame]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Frame:
        return self.read(self.entries[index])


def data_path(path: str | Path) -> Path:
    """A path below the data root, which is ``$POCKETDEPTH_DATA`` or ``data``; an absolute path stays as it is."""
    return Path(os.environ.get("POCKETDEPTH_DATA", "data")) / path


def require_folder(folder: Path, layout: str) -> None:
    """Raise FileNotFoundError, naming the layout that was looked for, where there is no such folder."""
    if not folder.is_dir():
        root = os.environ.get("POCKETDEPTH_DATA")
        source = f"POCKETDEPTH_DATA is {root}" if root else "POCKETDEPTH_DATA is not set, so the data root is data/"
        raise FileNotFoundError(f"{folder}: no such folder; looked for {layout} ({source})")
