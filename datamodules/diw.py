"""Depth in the Wild (arXiv 1604.03901): photographs with one ordinal pair each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.depth_io import read_image
from datamodules.reader import (
    CorruptFrameError,
    Frame,
    Licence,
    Reader,
    data_path,
    guessed_pinhole,
    read_text,
    require_folder,
)

_ORDER = {">": 1, "<": -1}


class _Entry(NamedTuple):
    image: Path
    pair: tuple[int, int, int, int, int]
    size: tuple[int, int]


class Diw(Reader):
    """Photographs of the internet; of two points of each it is known which is farther.

    Rows of the list alternate: an image's path, then ``y_A,x_A,y_B,x_B,ord,width,height``, counted from 1, ``>`` where
    A is farther.

    Args:
        root: the folder that the list's paths are relative to, relative to the data root.
        split: the list, e.g. ``diw/DIW_test.csv``, relative to the data root.

    Raises:
        FileNotFoundError: no such folder or list.
        ValueError: a row in another format, or an empty list.
    """

    layout = "Depth in the Wild: DIW_test.csv and the images that it names"
    truth = "pairs"
    licence = Licence("Depth in the Wild", "photographs of the internet, no licence is stated", None)

    def __init__(self, root: str, split: str) -> None:
        self.root, self.split = data_path(root), data_path(split)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        if not self.split.is_file():
            raise FileNotFoundError(f"{self.split}: no such list of frames")
        rows = [row.strip() for row in read_text(self.split).splitlines() if row.strip()]
        if not rows or len(rows) % 2:
            raise ValueError(f"{self.split}: {len(rows)} rows; images and their pairs alternate")
        return [self._entry(image, pair) for image, pair in zip(rows[::2], rows[1::2], strict=True)]

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        height, width = image.shape[:2]
        if entry.size != (height, width):
            raise CorruptFrameError(f"{entry.image}: {width}x{height}, its list says {entry.size[1]}x{entry.size[0]}")
        depth = np.zeros((height, width), dtype=np.float32)
        return Frame(image, depth, guessed_pinhole(image.shape), "real", entry.image, np.array(entry.pair))

    def _entry(self, image: str, row: str) -> _Entry:
        try:
            *numbers, order, width, height = row.split(",")
            y_a, x_a, y_b, x_b = (int(number) - 1 for number in numbers)
            size = int(height), int(width)
            pair = (y_a, x_a, y_b, x_b, _ORDER[order.strip()])
        except (ValueError, KeyError):
            raise ValueError(
                f"{self.split}: {row!r} is not 'y_A,x_A,y_B,x_B,ord,width,height' with ord > or <; "
                "is it a list of another data set?"
            ) from None
        if not (0 <= min(y_a, y_b) <= max(y_a, y_b) < size[0] and 0 <= min(x_a, x_b) <= max(x_a, x_b) < size[1]):
            raise ValueError(f"{self.split}: {row!r} has a point outside of its {width}x{height} image")
        return _Entry(self.root / image, pair, size)
