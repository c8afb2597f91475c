from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from datamodules import Make3D
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import write_make3d


def test_make3d_gives_the_centre(data_root: Path) -> None:
    write_make3d(data_root / "make3d")
    frame = Make3D("make3d")[1]
    assert frame.image.shape == (852, 1704, 3)
    assert frame.depth.shape == (21, 305)
    np.testing.assert_array_equal(frame.depth[:, 0], np.arange(10, 31) + 1)
    entry = Make3D("make3d").entries[0]
    scipy.io.savemat(entry.grid, {"Position3DGrid": np.zeros((3, 4))})
    with pytest.raises(CorruptFrameError, match=r"grid of shape \(3, 4\), expected \(55, 305\)"):
        Make3D("make3d")[0]
    grid = np.ones((55, 305, 4))
    grid[20, 20, 3] = np.nan
    scipy.io.savemat(entry.grid, {"Position3DGrid": grid})
    with pytest.raises(CorruptFrameError, match="depth has negative or non-finite values"):
        Make3D("make3d")[0]
    entry.grid.write_bytes(entry.grid.read_bytes()[:1000])
    with pytest.raises(CorruptFrameError, match=r"corrupt \.mat file"):
        Make3D("make3d")[0]
    entry.grid.unlink()
    with pytest.raises(FileNotFoundError, match="files of 1 of its 2 frames are missing"):
        Make3D("make3d").require_files()
