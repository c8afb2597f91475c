"""NYU Depth v2: the labelled .mat file, and the folder layout of bts."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from datamodules.depth_io import read_mat, read_millimetres
from datamodules.geometry import to_size
from datamodules.image_files import read_image
from datamodules.lists import inside, read_list, shown
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path, pinhole, require_folder, scene_name

SIZE = (480, 640)  # of the published images, (height, width)
_MAX_PIXELS = 2**24
_HDF5_ERRORS = (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError)  # of h5py, for a corrupt file
_WALK = """
import sys, h5py
with h5py.File(sys.argv[1]) as file:
    for dataset in filter(lambda item: isinstance(item, h5py.Dataset), file.values()):
        dataset.chunks and dataset.id.chunk_iter(lambda chunk: None)
"""
LICENCE = Licence("NYU Depth v2", "research only", False)
# From the toolbox's camera_params.m, which has 1-based pixel coordinates.
INTRINSICS = pinhole(518.85790117450188, 519.46961112127485, 325.58244941119034 - 1, 253.73616633400465 - 1)


class NyuLabeled(Reader):
    """Indoor frames of the labelled data set, ``nyu_depth_v2_labeled.mat``.

    Args:
        root: folder that contains ``nyu_depth_v2_labeled.mat`` and ``splits.mat``, relative to the data root.
        split: ``train`` (795 frames) or ``test`` (654 frames).
        depth: ``raw`` (as measured by the Kinect, with holes; as in the files of bts) or ``filled`` (holes inpainted).

    Raises:
        FileNotFoundError: the folder or a file is missing.
        ValueError: a file is corrupt or not from NYU Depth v2.
    """

    layout = "NYU Depth v2: nyu_depth_v2_labeled.mat (HDF5: images, depths, rawDepths) and splits.mat"
    truth = "kinect"
    licence = LICENCE

    def __init__(self, root: str, split: Literal["train", "test"], depth: Literal["raw", "filled"] = "raw") -> None:
        self.root, self.split = data_path(root), split
        self.dataset = "rawDepths" if depth == "raw" else "depths"

    def scan(self) -> list[tuple[Path, int]]:
        require_folder(self.root, self.layout)
        file, splits = self.root / "nyu_depth_v2_labeled.mat", self.root / "splits.mat"
        for path in (file, splits):
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such file; looked for {self.layout}")
        try:
            numbers = read_mat(splits, f"{self.split}Ndxs").ravel().astype(int) - 1
            _open_in_child(file)
            with h5py.File(file) as content:
                frames = min(len(_frames(content, "images")), len(_frames(content, self.dataset)))
        except (CorruptFrameError, *_HDF5_ERRORS) as error:
            raise ValueError(f"{self.root}: not {self.layout} ({error})") from error
        if not len(numbers) or numbers.min() < 0 or numbers.max() >= frames:
            raise ValueError(f"{splits}: {self.split}Ndxs has indices outside 1 to {frames}, the frames of {file.name}")
        return [(file / f"{number:04d}", int(number)) for number in numbers]

    def files(self, entry: tuple[Path, int]) -> list[Path]:
        return [entry[0].parent]

    def read(self, entry: tuple[Path, int]) -> Frame:
        path, number = entry
        try:
            file = _open(path.parent, os.getpid())
            image, depth = _frames(file, "images")[number].T, _frames(file, self.dataset)[number].T
        except _HDF5_ERRORS as error:
            raise CorruptFrameError(f"{path}: corrupt frame ({error})") from error
        intrinsics = to_size(INTRINSICS, SIZE, (image.shape[0], image.shape[1]), path)
        return Frame(image, depth.astype(np.float32), intrinsics, "real", path)

    def __str__(self) -> str:
        return f"NYU Depth v2 {self.split}"


class NyuFolders(Reader):
    """Indoor frames in the folder layout of bts, listed in a split file.

    A line of the split file is ``/kitchen_0028b/rgb_00045.jpg <depth> <focal length>``.

    Args:
        root: folder of the scenes, relative to the data root.
        split: split file, relative to the data root.

    Raises:
        FileNotFoundError: the folder or the split file is missing.
        ValueError: a line has another format or leads out of ``root``, or the split file is empty.
    """

    layout = "NYU Depth v2 in the layout of bts: <scene>/rgb_%05d.jpg and sync_depth_%05d.png (uint16 millimetres)"
    truth = "kinect"
    licence = LICENCE

    def __init__(self, root: str, split: str) -> None:
        self.root, self.split = data_path(root), data_path(split)

    def scan(self) -> list[tuple[Path, Path]]:
        require_folder(self.root, self.layout)
        return [self._entry(fields) for fields in read_list(self.split)]

    def scene(self, entry: tuple[Path, Path]) -> str:
        return scene_name(*entry[0].parents[1::-1])

    def read(self, entry: tuple[Path, Path]) -> Frame:
        image = read_image(entry[0])
        intrinsics = to_size(INTRINSICS, SIZE, (image.shape[0], image.shape[1]), entry[0])
        return Frame(image, read_millimetres(entry[1]), intrinsics, "real", entry[0])

    def __str__(self) -> str:
        return f"NYU Depth v2 {self.split.stem}"

    def _entry(self, fields: list[str]) -> tuple[Path, Path]:
        if len(fields) != 3 or not fields[1].endswith(".png") or "proj_depth" in fields[1]:
            raise ValueError(
                f"{self.split}: {shown(' '.join(fields))} is not '<scene>/rgb_<n>.jpg <scene>/sync_depth_<n>.png "
                "<focal>'; is it a split file of another data set?"
            )
        image, depth = (inside(self.root, field.lstrip("/"), self.split) for field in fields[:2])
        return image, depth


@cache
def _open(path: Path, process: int) -> Any:
    """Open the file once per process. An HDF5 handle must not be shared with a forked process."""
    return h5py.File(path)


def _open_in_child(path: Path) -> None:
    """Open a file and find all its chunks in a process of its own.

    libhdf5 can crash on corrupt structures, which it reads here. Frames are then read without a child: they are pixels,
    and a process in between would take longer than reading them.

    Raises:
        ValueError: the child crashed or takes over a minute.
    """
    try:
        ended = subprocess.run([sys.executable, "-c", _WALK, path], capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path.name} is corrupt: libhdf5 does not end reading it") from None
    if ended.returncode < 0:
        raise ValueError(f"{path.name} is corrupt: libhdf5 crashes on it, signal {-ended.returncode}")


def _frames(file: Any, name: str) -> Any:
    """A data set of images, N x 3 x W x H, or of depth, N x W x H. Raises ValueError if it is something else."""
    data = file[name]
    dimensions, kind = (4, "u") if name == "images" else (3, "f")
    pixels = max(np.prod(data.shape[1:]), np.prod(data.chunks or 0))
    if len(data.shape) != dimensions or data.dtype.kind != kind or pixels > 3 * _MAX_PIXELS:
        raise ValueError(f"{name} has shape {data.shape} and type {data.dtype}")
    return data
