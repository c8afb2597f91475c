"""Make3D test set."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.depth_io import read_mat
from datamodules.folders import list_folder
from datamodules.geometry import resize_scale
from datamodules.image_files import read_image
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path, guessed_pinhole, require_folder

GRID = (55, 305)
SIZE = (2272, 1704)  # of the published images, (height, width)


class _Entry(NamedTuple):
    image: Path
    grid: Path


class Make3D(Reader):
    """Outdoor images with a coarse laser depth grid, for evaluation only.

    Frames are cropped to the centre that published results use: the centre 852 of 2272 image rows (3/8 of the height)
    and rows 17 to 37 of the 55 x 305 laser grid. Intrinsics are a guess with a horizontal field of view of 60 degrees.

    Args:
        root: folder that contains ``Test134`` and ``Gridlaserdata``, relative to the data root.

    Raises:
        FileNotFoundError: the folder is missing or has no images.
    """

    layout = "Make3D: Test134/img-<id>.jpg and Gridlaserdata/depth_sph_corr-<id>.mat"
    truth = "laser_grid"
    licence = Licence("Make3D", "no licence stated", None)

    def __init__(self, root: str) -> None:
        self.root = data_path(root)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        images = list_folder(self.root / "Test134", "img-*.jpg")
        if not images:
            raise FileNotFoundError(f"{self.root}: no images; looked for {self.layout}")
        grids = self.root / "Gridlaserdata"
        return [_Entry(image, grids / f"depth_sph_corr-{image.stem.removeprefix('img-')}.mat") for image in images]

    def read(self, entry: _Entry) -> Frame:
        image, grid = read_image(entry.image), read_mat(entry.grid, "Position3DGrid")
        if grid.ndim != 3 or grid.shape[:2] != GRID or grid.shape[2] < 4 or grid.dtype.kind not in "fiu":
            raise CorruptFrameError(
                f"{entry.grid}: {grid.dtype} grid of shape {grid.shape}, expected {GRID} with x, y, z and depth"
            )
        height, width = image.shape[:2]
        resize_scale(SIZE, (height, width), entry.image)  # in a crop, the rows of the grid are elsewhere
        rows = round(height * 852 / SIZE[0])
        top = (height - rows) // 2
        image = np.ascontiguousarray(image[top : top + rows])
        depth = np.ascontiguousarray(grid[17:38, :, 3], dtype=np.float32)
        return Frame(image, depth, guessed_pinhole(image.shape), "real", entry.image)
