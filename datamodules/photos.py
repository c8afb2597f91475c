"""A folder of photographs without depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datamodules.depth_io import read_image
from datamodules.reader import Frame, Reader, data_path, require_folder

_SUFFIXES = {".jpg", ".jpeg", ".png"}


class Photos(Reader):
    """The photographs of a folder and of the folders in it, without depth: all of it is unknown.

    The intrinsics are a guess, a horizontal field of view of 60 degrees, for nothing else is known.

    Args:
        root: folder, relative to the data root.

    Raises:
        FileNotFoundError: no such folder, or no photograph in it.
    """

    def __init__(self, root: str) -> None:
        self.root = data_path(root)

    def scan(self) -> list[tuple[Path]]:
        require_folder(self.root, "a folder of .jpg, .jpeg or .png files")
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise FileNotFoundError(f"{self.root}: no .jpg, .jpeg or .png file in it")
        return [(path,) for path in paths]

    def read(self, entry: tuple[Path]) -> Frame:
        image = read_image(entry[0])
        height, width = image.shape[:2]
        focal = width / (2 * np.tan(np.radians(30)))
        intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], dtype=np.float32)
        return Frame(image, np.zeros((height, width), dtype=np.float32), intrinsics, "real", entry[0])
