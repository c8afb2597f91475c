"""The reader interface of all data sets, and helpers for paths and lists."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.contract import (
    Domain,
    Truth,
    breach,
    problem_of_values,
    refuse_breach_of_frame,
    refuse_breach_of_reader,
    refuse_breach_of_scan,
)

OnCorrupt = Literal["raise", "skip"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


class CorruptFrameError(RuntimeError):
    """A frame that cannot be used: a file is missing, truncated or in the wrong encoding, or has no calibration."""


class Neighbour(NamedTuple):
    """Another view of the scene of a frame: the other image of a stereo pair, or another image of a video.

    Attributes:
        image: RGB uint8, (H, W, 3), of the same size as the frame.
        intrinsics: float32, (3, 3), pixels of this image; pixel centres at integer coordinates.
        pose: float32, (4, 4), from the camera coordinates of the frame to those of this view, metres; x right, y down,
            z forward. None if unknown.
    """

    image: NDArray[np.uint8]
    intrinsics: NDArray[np.float32]
    pose: NDArray[np.float32] | None = None


class Frame(NamedTuple):
    """One frame at its original size.

    Attributes:
        image: RGB uint8, (H, W, 3).
        depth: float32 metres up to 1000, (H, W), 0 where unknown. A laser grid of the same view may have fewer pixels.
        intrinsics: float32, (3, 3), pixels of this image; pixel centres at integer coordinates.
        domain: ``synthetic`` or ``real``.
        path: path of the image file.
        pair: ordinal pair, int64, (5,): row and column of a point A, row and column of a point B, and 1 if A is
            farther or -1 if it is nearer. None without annotation.
        inv_depth: a teacher's inverse depth up to scale and shift, float32, (H, W), in (0, 1], 0 where unknown. None
            without a teacher's label.
        neighbours: other views of the scene, for training without ground truth.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: NDArray[np.float32]
    domain: Domain
    path: Path
    pair: NDArray[np.int64] | None = None
    inv_depth: NDArray[np.float32] | None = None
    neighbours: tuple[Neighbour, ...] = ()


class Licence(NamedTuple):
    """Licence of a data set. Its terms may extend to models trained on the data.

    Attributes:
        name: name of the data set.
        terms: summary of the terms.
        commercial: True if commercial use is allowed, None if unknown.
    """

    name: str
    terms: str
    commercial: bool | None


class Reader(ABC):
    """A sequence of frames. The constructor does not access files; they are searched on first use.

    Attributes:
        root: folder of the data set.
        layout: description of the expected files, for error messages.
        truth: kind of ground truth, which determines the applicable protocols: ``rendered`` (exact depth along the
            optical axis), ``lidar_z`` and ``lidar_x`` (one scan; depth along the optical axis or along the forward axis
            of the LiDAR), ``annotated`` (accumulated scans of KITTI), ``kinect``, ``laser_grid`` (Make3D), ``pairs``
            (ordinal pairs) or ``none``.
        licence: licence of the data set.
        neighbours: names of the neighbours that its frames have, and their offsets in frames.
    """

    root: Path
    layout: str
    truth: Truth
    licence: Licence = Licence("data whose reader states no licence", "unknown", None)
    neighbours: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def scan(self) -> list[Any]:
        """Find the frames. Returns one tuple per frame; its first item is the path of the image, a ``pathlib.Path``."""

    @abstractmethod
    def read(self, entry: Any) -> Frame:
        """Read one entry of :meth:`scan`.

        Raises:
            CorruptFrameError: the frame cannot be used.
        """

    def scene(self, entry: Any) -> str:
        """Scene of a frame, e.g. a street or a recording. Splits must not share scenes. Empty if unknown."""
        return ""

    def has_depth(self, entry: Any) -> bool:
        """Whether known depth is expected in a frame."""
        return self.truth not in ("pairs", "none")

    def files(self, entry: Any) -> list[Path]:
        """All files of a frame."""
        return [item for item in entry if isinstance(item, Path)]

    @cached_property
    def entries(self) -> list[Any]:
        """The entries of all frames, in a fixed order.

        Raises:
            FileNotFoundError: there are none.
            ValueError: :meth:`scan` or an attribute is not as this class demands.
        """
        refuse_breach_of_reader(self)
        entries = self.scan()
        refuse_breach_of_scan(self, entries)
        if not entries:
            raise FileNotFoundError(f"{self.root}: no frames; looked for {self.layout}")
        return entries

    @property
    def paths(self) -> list[Path]:
        """Paths of the images, in the order of :attr:`entries`."""
        return [entry[0] for entry in self.entries]

    @property
    def scenes_found(self) -> set[str]:
        """The known scenes of all frames."""
        return {self.scene(entry) for entry in self.entries} - {""}

    def require_files(self) -> None:
        """Raise FileNotFoundError, with examples, if files of the frames are missing."""
        absent = [entry for entry in self.entries if not all(file.exists() for file in self.files(entry))]
        if absent:
            files = [file for entry in absent[:3] for file in self.files(entry) if not file.exists()]
            shown = ", ".join(map(str, files[:3])) + (", ..." if len(absent) > len(files[:3]) else "")
            hint = " (is it a split file of another data set?)" if len(absent) == len(self) else ""
            raise FileNotFoundError(
                f"{self}: files of {len(absent)} of its {len(self)} frames are missing{hint}: {shown}; "
                f"looked for {self.layout}"
            )

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.root.name}"

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Frame]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Frame:
        """Read a frame, with contiguous and writable arrays.

        Raises:
            CorruptFrameError: the frame cannot be used.
            ValueError: :meth:`read` returns something else than a :class:`Frame`, or one with wrong types or shapes.
        """
        entry = self.entries[index]
        try:
            frame = self.read(entry)
        except (OSError, EOFError) as error:
            raise CorruptFrameError(f"{entry[0]}: unreadable ({error})") from error
        if not isinstance(frame, Frame):
            raise breach(self, "the result of read", frame, "a datamodules.Frame")
        refuse_breach_of_frame(self, frame)
        if problem := problem_of_values(frame, coarse=self.truth == "laser_grid"):
            raise CorruptFrameError(f"{frame.path}: {problem}")
        fields: dict[str, Any] = frame._asdict()
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        return Frame(**fields | {name: np.require(value, requirements=["C", "W"]) for name, value in arrays.items()})


def data_path(path: str | Path) -> Path:
    """Path relative to the data root, ``$POCKETDEPTH_DATA`` or ``data``. Absolute paths are returned unchanged."""
    return Path(os.environ.get("POCKETDEPTH_DATA", "data")) / path


def require_folder(folder: Path, layout: str) -> None:
    """Raise FileNotFoundError, with the expected layout, if a folder is missing."""
    if not folder.is_dir():
        root = os.environ.get("POCKETDEPTH_DATA")
        source = f"POCKETDEPTH_DATA is {root}" if root else "POCKETDEPTH_DATA is not set, so the data root is data/"
        if folder.is_relative_to(data_path("quickstart")):
            advice = "clone the repository, which contains the quickstart data, and set POCKETDEPTH_DATA=CLONE/data"
            raise FileNotFoundError(f"{folder}: no such folder; {advice} ({source})")
        packed = next((name for end in _ARCHIVES if (name := folder.with_name(folder.name + end)).is_file()), None)
        advice = f"; found {packed}: unpack it" if packed else ""
        raise FileNotFoundError(f"{folder}: no such folder; looked for {layout} ({source}){advice}")


@cache
def scene_name(*folders: Path) -> str:
    """Join folder names, links resolved, to a scene name that does not depend on where the data is stored."""
    return "/".join(folder.resolve().name for folder in folders)


def pinhole(fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float32]:
    """Intrinsics matrix, (3, 3), float32."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float32)


def guessed_pinhole(size: tuple[int, ...]) -> NDArray[np.float32]:
    """Intrinsics for an unknown camera of (height, width), with a horizontal field of view of 60 degrees."""
    height, width = size[:2]
    focal = width / (2 * np.tan(np.radians(30)))
    return pinhole(focal, focal, (width - 1) / 2, (height - 1) / 2)
