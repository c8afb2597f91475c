"""Videos of a moving camera without depth: folders of frames, and video files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.contract import problem_of_camera
from datamodules.folders import SUFFIXES as IMAGE_SUFFIXES
from datamodules.folders import find_files, find_images
from datamodules.image_files import read_image
from datamodules.neighbours import require_neighbours
from datamodules.reader import (
    CorruptFrameError,
    Frame,
    Licence,
    Neighbour,
    Reader,
    data_path,
    pinhole,
    require_folder,
    scene_name,
)

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # errors are reported by whoever reads the frame

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")


class _Entry(NamedTuple):
    image: Path  # of a video file: FILE/NUMBER, which is only a name
    around: tuple[Path, ...]  # previous and next frame, where there are any
    video: Path | None  # the video file; None for a folder of frames


class Video(Reader):
    """Frames of videos, each with the frames before and after it. All videos are of one camera.

    A video is a folder of images, ordered by the numbers in their names, or a file. Frames of a file are decoded one by
    one when they are read; a folder of JPEGs is faster. The poses are unknown: training needs a pose network.

    Args:
        root: folder of videos, or one video file, relative to the data root.
        camera: fx, fy, cx and cy in pixels of the frames; pixel centres at integer coordinates.
        step: distance of a frame to its neighbours in frames; of a slow camera with many frames per second take more.

    Raises:
        FileNotFoundError: no such folder or file, or no video in it is longer than ``step``.
        ValueError: ``step`` is not positive, ``camera`` is no camera, or a file cannot be decoded.
    """

    layout = f"folders of numbered images, or video files ({', '.join(SUFFIXES)})"
    truth = "none"
    licence = Licence("your own videos", "set by their authors", None)

    def __init__(self, root: str, camera: Sequence[float], step: int = 1) -> None:
        if step < 1:
            raise ValueError(f"step {step} must be positive")
        if len(camera) != 4:
            raise ValueError(f"camera {list(camera)} must have four values: fx, fy, cx, cy")
        self.intrinsics = pinhole(*camera)
        if problem := problem_of_camera(self.intrinsics):
            raise ValueError(f"camera {list(camera)}: {problem}")
        self.root, self.step = data_path(root), step
        self.neighbours = {"previous": -step, "next": step}

    def scan(self) -> list[_Entry]:
        if not self.root.is_file():
            require_folder(self.root, self.layout)
        found = [self.root] if self.root.is_file() else list(find_files(self.root))
        videos = [path for path in found if path.suffix.lower() in SUFFIXES]
        entries = [
            each
            for video in videos
            for each in self._entries([video / f"{number:06d}" for number in range(_length(video))], video)
        ]
        if any(path.suffix.lower() in IMAGE_SUFFIXES for path in found):
            images = sorted(find_images(self.root), key=lambda path: (path.parent, _by_number(path)))
            for _, clip in groupby(images, lambda path: path.parent):
                entries += self._entries(list(clip), None)
        require_neighbours(self, [len(entry.around) for entry in entries])
        return entries

    def _entries(self, images: Sequence[Path], video: Path | None) -> Iterable[_Entry]:
        for place, image in enumerate(images):
            places = [place - self.step, place + self.step]
            yield _Entry(image, tuple(images[each] for each in places if 0 <= each < len(images)), video)

    def files(self, entry: _Entry) -> list[Path]:
        return [entry.video] if entry.video else [entry.image, *entry.around]

    def scene(self, entry: _Entry) -> str:
        return scene_name(self.root, entry.video or entry.image.parent)

    def read(self, entry: _Entry) -> Frame:
        if entry.video:
            images = _decode(entry.video, [int(path.name) for path in (entry.image, *entry.around)])
        else:
            images = [read_image(path) for path in (entry.image, *entry.around)]
        blank = np.zeros(images[0].shape[:2], dtype=np.float32)
        self._require_inside(images[0].shape, entry.image)
        neighbours = tuple(Neighbour(image, self.intrinsics) for image in images[1:])
        return Frame(images[0], blank, self.intrinsics, "real", entry.image, neighbours=neighbours)

    def _require_inside(self, shape: tuple[int, ...], image: Path) -> None:
        cx, cy = self.intrinsics[:2, 2].tolist()
        if not (0 <= cx < shape[1] and 0 <= cy < shape[0]):
            raise CorruptFrameError(
                f"{image}: the principal point of camera, ({cx:g}, {cy:g}), is outside of the image of "
                f"{shape[0]}x{shape[1]} (height x width)"
            )


def _by_number(path: Path) -> list[Any]:
    """Key to sort a2 before a10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


@cache
def _length(video: Path) -> int:
    """Number of frames of a video file, as its header says."""
    capture = cv2.VideoCapture(str(video))
    length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if not capture.isOpened() or length < 1 or not capture.read()[0]:
        raise ValueError(f"{video}: cannot be decoded as a video; convert it, or extract its frames into a folder")
    return length


def _decode(video: Path, numbers: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Decode frames of a video file as RGB, (H, W, 3), in the given order."""
    capture, found = cv2.VideoCapture(str(video)), {}
    first, last = min(numbers), max(numbers)
    capture.set(cv2.CAP_PROP_POS_FRAMES, first)
    for number in range(first, last + 1):
        read, image = capture.read()
        if not read:
            raise CorruptFrameError(f"{video}: frame {number} cannot be decoded")
        if number in numbers:
            found[number] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)
    return [found[number] for number in numbers]
