from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from datamodules import NyuFolders, NyuLabeled
from tests.helpers.fake_data import picture, room, write_nyu_folders, write_nyu_labeled


def test_nyu_from_the_mat_file(data_root: Path) -> None:
    write_nyu_labeled(data_root / "nyu")
    train, test = NyuLabeled("nyu", "train"), NyuLabeled("nyu", "test", depth="filled")
    assert (len(train), len(test)) == (4, 1)
    np.testing.assert_array_equal(train[2].image, picture(2, (480, 640)))
    np.testing.assert_array_equal(train[2].depth, room(2))
    assert (test[0].depth > 0).all()
    assert train[0].intrinsics[0, 2] == pytest.approx(324.58245)
    assert not set(train.paths) & set(test.paths)


def test_nyu_mat_file_of_something_else_is_refused(data_root: Path) -> None:
    root = data_root / "nyu"
    with pytest.raises(FileNotFoundError, match=r"nyu: no such folder; looked for NYU Depth v2: nyu_depth_v2_labeled"):
        len(NyuLabeled("nyu", "test"))
    write_nyu_labeled(root)
    (root / "splits.mat").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"splits\.mat: corrupt \.mat file"):
        len(NyuLabeled("nyu", "test"))
    scipy.io.savemat(root / "splits.mat", {"testNdxs": np.array([[6]])})
    with pytest.raises(ValueError, match=r"testNdxs has indices outside 1 to 5, the frames of"):
        len(NyuLabeled("nyu", "test"))
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as file:
        file["accelData"] = np.zeros(3)
    with pytest.raises(ValueError, match="not NYU Depth v2"):
        len(NyuLabeled("nyu", "test"))
    (root / "splits.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"splits\.mat: no such file"):
        len(NyuLabeled("nyu", "test"))


def test_nyu_from_folders(data_root: Path) -> None:
    write_nyu_folders(data_root / "nyu")
    reader = NyuFolders("nyu", "nyu/list.txt")
    assert [path.parent.name for path in reader.paths] == ["kitchen_0028b"] * 2 + ["study"] * 2
    np.testing.assert_allclose(reader[0].depth, room(0), atol=0.000502)
    reader.paths[3].unlink()
    with pytest.raises(FileNotFoundError, match=r"files of 1 of its 4 frames are missing: .*study/rgb_00045\.jpg"):
        reader.require_files()
