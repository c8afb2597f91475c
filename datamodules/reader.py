"""What every data set gives: frames."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Domain = Literal["synthetic", "real"]
OnCorrupt = Literal["raise", "skip"]
Truth = Literal["rendered", "lidar_z", "lidar_x", "annotated", "kinect", "laser_grid", "pairs", "none"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


class CorruptFrameError(RuntimeError):
    """A frame that cannot be used as it lies on disk: truncated, of the wrong encoding, without its calibration."""


class Frame(NamedTuple):
    """One frame as read, at its own size.

    Attributes:
        image: RGB uint8, (H, W, 3).
        depth: float32 metres, (H, W), 0 where unknown; a laser's grid over the same view may be coarser.
        intrinsics: float32, (3, 3), pixels; pixel centres at integer coordinates.
        domain: ``synthetic`` or ``real``.
        path: the image's file.
        pair: int64, (5,): row and column of a point A, of a point B, and 1 where A is farther, -1 where it is nearer;
            None where there is no such annotation.
        inv_depth: float32, (H, W), a teacher's inverse depth up to scale and shift in (0, 1], 0 where unknown; None
            where there is no teacher.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: NDArray[np.float32]
    domain: Domain
    path: Path
    pair: NDArray[np.int64] | None = None
    inv_depth: NDArray[np.float32] | None = None


class Licence(NamedTuple):
    """What the makers of a data set allow; what is trained on it may have to pass that on.

    Attributes:
        name: of the data set.
        terms: in a few words.
        commercial: whether commercial use is allowed; None where that is not known.
    """

    name: str
    terms: str
    commercial: bool | None


class Reader(ABC):
    """A sequence of frames. Files are looked for when the first frame or the length is asked for, not before.

    Attributes:
        root: the data set's folder.
        layout: what is looked for, as an error says it.
        truth: what the depth is, which decides the protocols that fit: ``rendered`` (exact, along the camera's axis),
            ``lidar_z`` and ``lidar_x`` (one scan, along the camera's axis or the scanner's), ``annotated`` (KITTI's
            accumulated scans), ``kinect``, ``laser_grid`` (Make3D), ``pairs`` (which of two points is farther) or
            ``none``.
        licence: the terms of the data set whose layout it reads.
    """

    root: Path
    layout: str
    truth: Truth
    licence: Licence = Licence("data whose reader states no licence", "unknown", None)

    @abstractmethod
    def scan(self) -> list[Any]:
        """Find the frames: one entry each, a tuple whose first item is the image's path."""

    @abstractmethod
    def read(self, entry: Any) -> Frame:
        """Read one entry of ``scan``; raises CorruptFrameError."""

    def scene(self, entry: Any) -> str:
        """What a split must not share with another, a street or a recording; empty where it is not known."""
        return ""

    def has_depth(self, entry: Any) -> bool:
        """Whether a frame should have known pixels."""
        return self.truth not in ("pairs", "none")

    def files(self, entry: Any) -> list[Path]:
        """The files that a frame needs."""
        return [item for item in entry if isinstance(item, Path)]

    @cached_property
    def entries(self) -> list[Any]:
        """The frames that were found, in a fixed order."""
        return self.scan()

    @property
    def paths(self) -> list[Path]:
        """The image files, in the same order."""
        return [entry[0] for entry in self.entries]

    @property
    def scenes_found(self) -> set[str]:
        """The scenes of the frames, as far as they are known."""
        return {self.scene(entry) for entry in self.entries} - {""}

    def require_files(self) -> None:
        """Raise FileNotFoundError, with examples, where files that the frames need are not there."""
        absent = [entry for entry in self.entries if not all(file.exists() for file in self.files(entry))]
        if absent:
            files = [file for entry in absent[:3] for file in self.files(entry) if not file.exists()]
            shown = ", ".join(map(str, files[:3])) + (", ..." if len(absent) > len(files[:3]) else "")
            whole = " (is it a list of another data set?)" if len(absent) == len(self) else ""
            raise FileNotFoundError(
                f"{self}: files of {len(absent)} of its {len(self)} frames are not there{whole}: {shown}; "
                f"looked for {self.layout}"
            )

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.root.name}"

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Frame]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Frame:
        frame = self.read(self.entries[index])
        depth, size = frame.depth, frame.image.shape[:2]
        if depth.shape != size and self.truth != "laser_grid":
            raise CorruptFrameError(f"{frame.path}: depth is {depth.shape}, its image {size}")
        if not (depth.min() >= 0 and depth.max() < np.inf):  # one comparison finds NaN, too
            raise CorruptFrameError(f"{frame.path}: depth is negative or not finite somewhere")
        return frame


def data_path(path: str | Path) -> Path:
    """A path below the data root, which is ``$POCKETDEPTH_DATA`` or ``data``; an absolute path stays as it is."""
    return Path(os.environ.get("POCKETDEPTH_DATA", "data")) / path


def require_folder(folder: Path, layout: str) -> None:
    """Raise FileNotFoundError, naming the layout that was looked for, where there is no such folder."""
    if not folder.is_dir():
        root = os.environ.get("POCKETDEPTH_DATA")
        source = f"POCKETDEPTH_DATA is {root}" if root else "POCKETDEPTH_DATA is not set, so the data root is data/"
        if folder.is_relative_to(data_path("quickstart")):
            advice = "clone the repository, which holds the quickstart's data, and set POCKETDEPTH_DATA=CLONE/data"
            raise FileNotFoundError(f"{folder}: no such folder; {advice} ({source})")
        packed = next((name for end in _ARCHIVES if (name := folder.with_name(folder.name + end)).is_file()), None)
        advice = f"; {packed} is there: unpack it" if packed else ""
        raise FileNotFoundError(f"{folder}: no such folder; looked for {layout} ({source}){advice}")


def read_list(path: Path) -> list[list[str]]:
    """The fields of each line of a list of frames; empty lines do not count.

    Raises:
        FileNotFoundError: no such list.
        ValueError: an empty list.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of frames")
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path}: the list is empty")
    return lines


def read_text(path: Path) -> str:
    """A list's or table's text, without the byte order mark that Windows puts before it."""
    return path.read_text(encoding="utf-8-sig", errors="replace")


@cache
def scene_name(*folders: Path) -> str:
    """The names of folders that tell a scene, links followed: they stay when the data moves to another disk."""
    return "/".join(folder.resolve().name for folder in folders)


def pinhole(fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float32]:
    """Intrinsics, (3, 3)."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float32)


def guessed_pinhole(size: tuple[int, ...]) -> NDArray[np.float32]:
    """Intrinsics of a camera of which nothing is known: a horizontal field of view of 60 degrees."""
    height, width = size[:2]
    focal = width / (2 * np.tan(np.radians(30)))
    return pinhole(focal, focal, (width - 1) / 2, (height - 1) / 2)
