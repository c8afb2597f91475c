"""Indoor RGB-D sequences: TUM RGB-D and 7-Scenes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.depth_io import read_millimetres, read_tum_depth
from datamodules.folders import find_files
from datamodules.geometry import to_size
from datamodules.image_files import read_image
from datamodules.lists import Names, as_names, inside, read_text
from datamodules.reader import Frame, Licence, Reader, data_path, pinhole, require_folder, scene_name

_SIZE = (480, 640)  # of the published images, (height, width)
_TUM_INTRINSICS = {
    "freiburg1": pinhole(517.3, 516.5, 318.6, 255.3),
    "freiburg2": pinhole(520.9, 521.0, 325.1, 249.7),
    "freiburg3": pinhole(535.4, 539.2, 320.1, 247.6),
    "": pinhole(525.0, 525.0, 319.5, 239.5),  # default of ROS, if the path does not name the camera
}
_SEVEN_SCENES_INTRINSICS = pinhole(585, 585, 320, 240)
_TUM_APART_S = 0.02  # as in the benchmark's associate.py


class _Entry(NamedTuple):
    image: Path
    depth: Path


class TumRgbd(Reader):
    """TUM RGB-D: sequences with ``rgb.txt`` and ``depth.txt``, or pairs ``rgb_<n>.png`` and ``depth_<n>.png``.

    Images and depth maps of a sequence are matched by timestamp, at most 20 ms apart.

    Args:
        root: a sequence, or a folder of sequences, relative to the data root.

    Raises:
        FileNotFoundError: the folder is missing or has no frames.
        ValueError: ``rgb.txt`` or ``depth.txt`` has another format.
    """

    layout = "TUM RGB-D: <sequence>/{rgb.txt,depth.txt,rgb/,depth/}, or pairs rgb_<n>.png and depth_<n>.png"
    truth = "kinect"
    licence = Licence("TUM RGB-D", "CC BY 4.0, attribution required", True)

    def __init__(self, root: str) -> None:
        self.root = data_path(root)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        entries = [
            _Entry(inside(sequence.parent, image, sequence), inside(sequence.parent, depth, sequence))
            for sequence in find_files(self.root, "rgb.txt")
            for image, depth in _associate(_times(sequence), _times(sequence.with_name("depth.txt")))
        ]
        entries += [
            _Entry(image, image.with_name(image.name.replace("rgb_", "depth_", 1)))
            for image in find_files(self.root, "rgb_*.png")
        ]
        if not entries:
            raise FileNotFoundError(f"{self.root}: no frames; looked for {self.layout}")
        return entries

    def scene(self, entry: _Entry) -> str:
        return scene_name(*entry.image.parents[1::-1])

    def read(self, entry: _Entry) -> Frame:
        camera = re.search(r"freiburg[123]", str(entry.image))
        image = read_image(entry.image)
        known = _TUM_INTRINSICS[camera[0] if camera else ""]
        intrinsics = to_size(known, _SIZE, (image.shape[0], image.shape[1]), entry.image)
        return Frame(image, read_tum_depth(entry.depth), intrinsics, "real", entry.image)


class SevenScenes(Reader):
    """7-Scenes: Kinect frames ``frame-%06d.{color,depth}``, in one folder or in ``<scene>/seq-XX/``.

    Colour and depth are not exactly registered.

    Args:
        root: a scene, or a folder of scenes, relative to the data root.
        scenes: folders below ``root`` to read, e.g. ``chess`` or ``chess/seq-01``; all by default.
        split: ``train`` or ``test`` reads the sequences listed in ``TrainSplit.txt`` or ``TestSplit.txt`` of the
            scenes; ``all`` reads every sequence.
        part: start and end of the frames to read, as shares of each sequence in temporal order. A single sequence can
            be split into ``[0, 0.6]`` for training and ``[0.6, 1]`` for evaluation.

    Raises:
        FileNotFoundError: a folder or split file is missing, or there are no frames.
        ValueError: ``part`` is not ascending within [0, 1].
    """

    layout = "7-Scenes: [<scene>/seq-XX/]frame-%06d.color.png (or .jpg) and frame-%06d.depth.png"
    truth = "kinect"
    licence = Licence("7-Scenes", "Microsoft Research, non-commercial", False)

    def __init__(
        self,
        root: str,
        scenes: Names | None = None,
        split: Literal["all", "train", "test"] = "all",
        part: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if not 0 <= part[0] < part[1] <= 1:
            raise ValueError(f"part {list(part)} is not ascending within [0, 1]")
        self.root, self.scenes, self.split, self.part = data_path(root), as_names(scenes), split, part

    def scan(self) -> list[_Entry]:
        folders = [self.root / scene for scene in self.scenes] if self.scenes is not None else [self.root]
        for folder in folders:
            require_folder(folder, self.layout)
        if self.split != "all":
            folders = [sequence for folder in folders for sequence in self._sequences(folder)]
            for sequence in folders:
                require_folder(sequence, self.layout)
        found = [find_files(folder, "frame-*.color.*") for folder in folders]
        images = [image for each in found for image in self._part_of(each)]
        if not images:
            raise FileNotFoundError(f"{self.root}: no frames; looked for {self.layout}")
        return [_Entry(image, image.with_name(image.name.split(".")[0] + ".depth.png")) for image in images]

    def scene(self, entry: _Entry) -> str:
        return scene_name(*entry.image.parents[1::-1])

    def read(self, entry: _Entry) -> Frame:
        image, depth = read_image(entry.image), read_millimetres(entry.depth, invalid=65535)
        intrinsics = to_size(_SEVEN_SCENES_INTRINSICS, _SIZE, (image.shape[0], image.shape[1]), entry.image)
        return Frame(image, depth, intrinsics, "real", entry.image)

    def _part_of(self, images: list[Path]) -> list[Path]:
        """The images of ``part`` of each sequence."""
        sequences: dict[Path, list[Path]] = {}
        for image in images:
            sequences.setdefault(image.parent, []).append(image)
        first, last = self.part
        return [
            image for each in sequences.values() for image in each[round(first * len(each)) : round(last * len(each))]
        ]

    def _sequences(self, folder: Path) -> list[Path]:
        """Sequences listed in the split files of a folder. The line ``sequence1`` means the folder ``seq-01``."""
        files = find_files(folder, f"{self.split.title()}Split.txt")
        if not files:
            raise FileNotFoundError(f"{folder}: no {self.split.title()}Split.txt in it; looked for {self.layout}")
        return [file.parent / f"seq-{int(n):02d}" for file in files for n in re.findall(r"\d{1,9}", read_text(file))]


def _times(path: Path) -> dict[float, str]:
    """Read lines ``<seconds> <file>`` as timestamp -> file. Lines that start with # are comments."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; looked for {TumRgbd.layout}")
    lines = [line.replace(",", " ").split() for line in read_text(path).splitlines() if not line.startswith("#")]
    try:
        times = {float(fields[0]): fields[1] for fields in lines if len(fields) >= 2}
    except ValueError:
        times = {np.nan: ""}
    if not np.isfinite(list(times)).all():
        raise ValueError(f"{path}: its lines are not '<seconds> <file>'")
    return times


def _associate(images: dict[float, str], depths: dict[float, str]) -> list[tuple[str, str]]:
    """Pairs of an image and a depth map that are mutual nearest neighbours in time."""
    if not images or not depths:
        return []
    image_times, depth_times = (np.array(sorted(times)) for times in (images, depths))
    nearest, back = _nearest(image_times, depth_times), _nearest(depth_times, image_times)
    return [
        (images[float(time)], depths[float(depth_times[place])])
        for index, (time, place) in enumerate(zip(image_times, nearest, strict=True))
        if back[place] == index and abs(depth_times[place] - time) < _TUM_APART_S
    ]


def _nearest(times: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each time, the index of the nearest value in ``others``, which is ascending."""
    after = np.searchsorted(others, times).clip(1, max(1, len(others) - 1))
    before = after - 1
    after = after.clip(max=len(others) - 1)
    return np.where(np.abs(others[before] - times) <= np.abs(others[after] - times), before, after)
