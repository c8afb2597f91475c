"""Make3D's test set."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.depth_io import read_image, read_mat
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path, guessed_pinhole, require_folder

GRID = (55, 305)


class _Entry(NamedTuple):
    image: Path
    grid: Path


class Make3D(Reader):
    """Outdoor photographs with a coarse laser grid, for evaluation: the centre that papers report on.

    Of an image (2272 high, 1704 wide) it gives the centre 852 rows, 3/8 of its height; of the laser's grid, 55 x 305,
    the rows 17 to 37. The intrinsics are a guess.

    Args:
        root: the folder of ``Test134`` and ``Gridlaserdata``, relative to the data root.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
    """

    layout = "Make3D: Test134/img-<id>.jpg and Gridlaserdata/depth_sph_corr-<id>.mat"
    truth = "laser_grid"
    licence = Licence("Make3D", "its makers state no licence", None)

    def __init__(self, root: str) -> None:
        self.root = data_path(root)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        images = sorted((self.root / "Test134").glob("img-*.jpg"))
        if not images:
            raise FileNotFoundError(f"{self.root}: no image; looked for {self.layout}")
        grids = self.root / "Gridlaserdata"
        return [_Entry(image, grids / f"depth_sph_corr-{image.stem.removeprefix('img-')}.mat") for image in images]

    def read(self, entry: _Entry) -> Frame:
        image, grid = read_image(entry.image), read_mat(entry.grid, "Position3DGrid")
        if grid.ndim != 3 or grid.shape[:2] != GRID or grid.shape[2] < 4:
            raise CorruptFrameError(f"{entry.grid}: a grid of shape {grid.shape}, not {GRID} of x, y, z and depth")
        height = image.shape[0]
        if height < image.shape[1]:
            raise CorruptFrameError(f"{entry.image}: {image.shape[1]}x{height}, but Make3D's images stand upright")
        rows = round(height * 852 / 2272)
        top = (height - rows) // 2
        image = np.ascontiguousarray(image[top : top + rows])
        depth = np.ascontiguousarray(grid[17:38, :, 3], dtype=np.float32)
        return Frame(image, depth, guessed_pinhole(image.shape), "real", entry.image)
