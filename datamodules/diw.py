"""Depth in the Wild (arXiv 1604.03901): internet photographs with one ordinal pair each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.image_files import read_image
from datamodules.lists import inside, read_text, shown
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path, guessed_pinhole, require_folder

_ORDER = {">": 1, "<": -1}


class _Entry(NamedTuple):
    image: Path
    pair: tuple[int, int, int, int, int]
    size: tuple[int, int]


class Diw(Reader):
    """Internet photographs with one ordinal pair each: two points, and which of them is farther.

    The split file alternates between two kinds of rows: the path of an image, and
    ``y_A,x_A,y_B,x_B,ord,width,height`` with 1-based coordinates. ``ord`` is ``>`` if A is farther, else ``<``.

    Args:
        root: folder of the image paths in the split file, relative to the data root.
        split: split file, e.g. ``diw/DIW_test.csv``, relative to the data root.

    Raises:
        FileNotFoundError: the folder or the split file is missing.
        ValueError: a row has another format or leads out of ``root``, or the split file is empty.
    """

    layout = "Depth in the Wild: DIW_test.csv and the images it lists"
    truth = "pairs"
    licence = Licence("Depth in the Wild", "photographs from the internet, no licence stated", None)

    def __init__(self, root: str, split: str) -> None:
        self.root, self.split = data_path(root), data_path(split)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        if not self.split.is_file():
            raise FileNotFoundError(f"{self.split}: no such split file")
        rows = [row.strip() for row in read_text(self.split).splitlines() if row.strip()]
        if not rows or len(rows) % 2:
            raise ValueError(
                f"{self.split}: {len(rows)} rows, expected an even number: an image, then its ordinal pair"
            )
        return [self._entry(image, pair) for image, pair in zip(rows[::2], rows[1::2], strict=True)]

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        height, width = image.shape[:2]
        if entry.size != (height, width):
            raise CorruptFrameError(
                f"{entry.image}: size is {width}x{height}, the split file has {entry.size[1]}x{entry.size[0]}"
            )
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
                f"{self.split}: {shown(row)} is not 'y_A,x_A,y_B,x_B,ord,width,height' with ord > or <; "
                "is it a split file of another data set?"
            ) from None
        if not (0 <= min(y_a, y_b) <= max(y_a, y_b) < size[0] and 0 <= min(x_a, x_b) <= max(x_a, x_b) < size[1]):
            raise ValueError(f"{self.split}: {shown(row)} has a point outside its {width}x{height} image")
        return _Entry(inside(self.root, image, self.split), pair, size)
