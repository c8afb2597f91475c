from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from datamodules import NyuFolders, NyuLabeled
from datamodules import nyu as nyu_module
from datamodules.reader import CorruptFrameError
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


def small_mat_file(root: Path) -> bytes:
    write_nyu_labeled(root, frames=2)
    path = root / "nyu_depth_v2_labeled.mat"
    with h5py.File(path, "w") as file:
        for name, values in (
            ("images", np.ones((2, 3, 8, 6), np.uint8)),
            ("rawDepths", np.ones((2, 8, 6), np.float32)),
        ):
            file.create_dataset(name, data=values, chunks=(1, *values.shape[1:]), compression="gzip")
    return path.read_bytes()


def test_a_corrupt_chunk_is_a_corrupt_frame(data_root: Path) -> None:
    path = data_root / "nyu" / "nyu_depth_v2_labeled.mat"
    content = bytearray(small_mat_file(data_root / "nyu"))
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info(0)
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(CorruptFrameError, match=r"0000: corrupt frame \("):
        NyuLabeled("nyu", "train")[0]


def test_a_truncated_mat_file_is_named(data_root: Path) -> None:
    content = small_mat_file(data_root / "nyu")
    (data_root / "nyu" / "nyu_depth_v2_labeled.mat").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"nyu: not NYU Depth v2"):
        len(NyuLabeled("nyu", "train"))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("images", np.ones((2, 3, 8, 6), np.int64)),
        ("images", np.ones((2, 8, 6), np.uint8)),
        ("rawDepths", np.ones((2, 8, 6), np.complex64)),
        ("rawDepths", np.array([b"a", b"b"])),
    ],
)
def test_arrays_of_another_kind_are_no_nyu(data_root: Path, name: str, values: np.ndarray) -> None:
    small_mat_file(data_root / "nyu")
    with h5py.File(data_root / "nyu" / "nyu_depth_v2_labeled.mat", "r+") as file:
        del file[name]
        file[name] = values
    with pytest.raises(ValueError, match=rf"not NYU Depth v2.*\({name} has shape"):
        len(NyuLabeled("nyu", "train"))


def test_claimed_sizes_are_not_allocated(data_root: Path) -> None:
    small_mat_file(data_root / "nyu")
    with h5py.File(data_root / "nyu" / "nyu_depth_v2_labeled.mat", "r+") as file:
        del file["images"]
        file.create_dataset("images", (2, 3, 200_000, 200_000), np.uint8, chunks=(1, 3, 64, 64))
    with pytest.raises(ValueError, match=r"images has shape \(2, 3, 200000, 200000\)"):
        len(NyuLabeled("nyu", "train"))


def test_a_crash_of_libhdf5_is_said(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_nyu_labeled(data_root / "nyu")
    monkeypatch.setattr(nyu_module, "_WALK", "import os; os.abort()")
    with pytest.raises(ValueError, match=r"nyu_depth_v2_labeled\.mat is corrupt: libhdf5 crashes on it, signal 6"):
        len(NyuLabeled("nyu", "train"))
