"""A folder of photographs without depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datamodules.depth_io import read_image
from datamodules.reader import Frame, Reader, data_path, guessed_pinhole, require_folder

_SUFFIXES = {".jpg", ".jpeg", ".png"}


class Photos(Reader):
    """The photographs of a folder and of the folders in it, without depth: all of it is unknown.

    The intrinsics are a guess, a horizontal field of view of 60 degrees, for nothing else is known.

    Args:
        root: folder, relative to the data root.

    Raises:
        FileNotFoundError: no such folder, or no photograph in it.
    """

    layout = "a folder of .jpg, .jpeg or .png files"
    truth = "none"

    def __init__(self, root: str) -> None:
        self.root = data_path(root)

    def scan(self) -> list[tuple[Path]]:
        require_folder(self.root, self.layout)
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise FileNotFoundError(f"{self.root}: no .jpg, .jpeg or .png file in it")
        return [(path,) for path in paths]

    def read(self, entry: tuple[Path]) -> Frame:
        image = read_image(entry[0])
        depth = np.zeros(image.shape[:2], dtype=np.float32)
        return Frame(image, depth, guessed_pinhole(image.shape), "real", entry[0])
