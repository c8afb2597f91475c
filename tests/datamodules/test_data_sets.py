"""Readers of the data sets other than Virtual KITTI 2 and KITTI raw: true layouts, encodings, and what can be wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from datamodules import Diw, KittiRaw, Make3D, NyuFolders, NyuLabeled, Reader, SevenScenes, TumRgbd, VirtualKitti1
from datamodules import depth_io as io
from datamodules.reader import DamagedFrameError
from tests.fakes import (
    picture,
    road,
    room,
    write_annotated,
    write_diw,
    write_make3d,
    write_nyu_folders,
    write_nyu_labeled,
    write_seven_scenes,
    write_tum,
    write_vkitti1,
)

DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"


def test_vkitti1_has_one_camera(data_root: Path) -> None:
    write_vkitti1(data_root / "old")
    reader = VirtualKitti1("old", worlds=["0020"], variations=["15-deg-left"], beyond="clamp")
    assert [path.name for path in reader.paths] == ["00000.png", "00001.png"]
    frame = reader[0]
    assert frame.image.shape == (375, 1242, 3)
    np.testing.assert_allclose(frame.depth, road((375, 1242), 725.0).clip(max=80), atol=0.00502)
    assert frame.intrinsics.tolist() == [[725, 0, 620.5], [0, 725, 187], [0, 0, 1]]
    assert len(VirtualKitti1("old")) == 8
    assert len(VirtualKitti1("old").scenes_found) == 2
    with pytest.raises(FileNotFoundError, match=r"no 0099; there is 0001, 0020; looked for Virtual KITTI 1\.3\.1"):
        len(VirtualKitti1("old", worlds=["0099"]))


@pytest.mark.parametrize("place", ["depth/train/{}", "depth/val/{}", "depth/{}", "kitti/2011_09_26/{}"])
def test_kitti_annotated_depth_is_found_in_every_place(data_root: Path, place: str) -> None:
    (data_root / "depth").mkdir()
    for frame in range(3):
        write_annotated(data_root / place.format("2011_09_26_drive_0001_sync"), frame, (75, 124))
    for annotated in ("depth", None) if place.startswith("kitti") else ("depth",):
        reader = KittiRaw("kitti", "kitti/val.txt", depth="annotated", annotated=annotated)
        reader.require_files()
        depth = reader[1].depth
        assert 0.1 < (depth > 0).mean() < 0.3
        known = depth > 0
        np.testing.assert_allclose(depth[known], road((75, 124), 70.0).clip(max=85)[known], atol=1 / 512 + 1e-6)
    assert reader.truth == "annotated"


def test_kitti_annotated_depth_of_8_bits_is_refused(data_root: Path) -> None:
    for frame in range(3):
        path = write_annotated(data_root / "kitti" / DRIVE, frame, (75, 124))
    Image.fromarray(np.full((75, 124), 200, np.uint16)).save(path)
    with pytest.raises(DamagedFrameError, match="somebody saved 8 bits"):
        KittiRaw("kitti", "kitti/val.txt", depth="annotated")[2]


def test_kitti_reads_lists_of_bts(data_root: Path) -> None:
    write_annotated(data_root / "kitti" / DRIVE, 1, (75, 124))
    truth = "2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000001.png"
    lines = [
        f"{DRIVE}/image_02/data/0000000000.png None 721.5377",
        f"/{DRIVE}/image_02/data/0000000001.png {truth} 721.5",
    ]
    (data_root / "list.txt").write_text("\n".join(lines))
    reader = KittiRaw("kitti", "list.txt", depth="annotated")
    reader.require_files()
    assert not reader[0].depth.any()
    assert reader[1].depth.any()
    assert KittiRaw("kitti", "list.txt", depth="forward_x")[0].depth.any()


def test_kitti_lists_as_published(real_data: Path, data_root: Path) -> None:
    for name, count in (("eigen/test", 697), ("eigen_benchmark/test", 652), ("eigen_zhou/val", 4424)):
        reader = KittiRaw("kitti", str(real_data / "splits" / "monodepth2" / f"{name}_files.txt"))
        assert len(reader) == len(set(reader.paths)) == count
    bts = KittiRaw("kitti", str(real_data / "splits" / "bts" / "eigen_test_files_with_gt.txt"), depth="annotated")
    eigen = KittiRaw("kitti", str(real_data / "splits" / "monodepth2" / "eigen" / "test_files.txt"))
    assert bts.paths == eigen.paths
    assert sum(entry.truth is None for entry in bts.entries) == 45
    with pytest.raises(FileNotFoundError, match=r"files of 697 of its 697 frames .*list of another data set"):
        eigen.require_files()
    nyu = str(real_data / "splits" / "bts" / "nyudepthv2_test_files_with_gt.txt")
    with pytest.raises(ValueError, match="is it a list of another data set"):
        len(KittiRaw("kitti", nyu))
    assert len(NyuFolders("kitti", nyu)) == 654
    with pytest.raises(ValueError, match="is it a list of another data set"):
        len(NyuFolders("kitti", str(bts.split)))


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
    with pytest.raises(ValueError, match=r"splits\.mat: damaged \.mat file"):
        len(NyuLabeled("nyu", "test"))
    scipy.io.savemat(root / "splits.mat", {"testNdxs": np.array([[6]])})
    with pytest.raises(ValueError, match=r"does not number the 5 frames .* from 1"):
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
    with pytest.raises(FileNotFoundError, match=r"files of 1 of its 4 frames are not there: .*study/rgb_00045\.jpg"):
        reader.require_files()


def test_make3d_gives_the_centre(data_root: Path) -> None:
    write_make3d(data_root / "make3d")
    frame = Make3D("make3d")[1]
    assert frame.image.shape == (852, 1704, 3)
    assert frame.depth.shape == (21, 305)
    np.testing.assert_array_equal(frame.depth[:, 0], np.arange(10, 31) + 1)
    entry = Make3D("make3d").entries[0]
    scipy.io.savemat(entry.grid, {"Position3DGrid": np.zeros((3, 4))})
    with pytest.raises(DamagedFrameError, match=r"a grid of shape \(3, 4\), not \(55, 305\)"):
        Make3D("make3d")[0]
    grid = np.ones((55, 305, 4))
    grid[20, 20, 3] = np.nan
    scipy.io.savemat(entry.grid, {"Position3DGrid": grid})
    with pytest.raises(DamagedFrameError, match="depth is negative or not finite"):
        Make3D("make3d")[0]
    entry.grid.write_bytes(entry.grid.read_bytes()[:1000])
    with pytest.raises(DamagedFrameError, match=r"damaged \.mat file"):
        Make3D("make3d")[0]
    entry.grid.unlink()
    with pytest.raises(FileNotFoundError, match="files of 1 of its 2 frames are not there"):
        Make3D("make3d").require_files()


def test_diw_counts_from_one_and_says_y_first(data_root: Path) -> None:
    write_diw(data_root / "diw")
    frames = list(Diw("diw", "diw/DIW_test.csv"))
    pairs = [frame.pair.tolist() for frame in frames if frame.pair is not None]
    assert pairs == [[59, 0, 0, 89, -1], [0, 0, 79, 69, 1], [4, 5, 6, 7, 1]]
    assert frames[0].image.shape == (60, 90, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows"),
        ("a.jpg\n", "1 rows; images and their pairs alternate"),
        ("a.jpg\n1,1,2,2,=,9,9\n", "is not 'y_A,x_A,y_B,x_B,ord,width,height'"),
        ("2011/drive 1 l\n2011/drive 2 l\n", "is it a list of another data set"),
        ("a.jpg\n1,1,12,2,<,9,9\n", "has a point outside of its 9x9 image"),
    ],
)
def test_diw_refuses_other_lists(data_root: Path, text: str, message: str) -> None:
    write_diw(data_root / "diw")
    (data_root / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        len(Diw("diw", "list.csv"))


def test_diw_refuses_an_image_of_another_size(data_root: Path) -> None:
    write_diw(data_root / "diw")
    Image.fromarray(picture(0, (30, 45))).save(data_root / "diw" / "DIW_test" / "0.jpg")
    with pytest.raises(DamagedFrameError, match="45x30, its list says 90x60"):
        Diw("diw", "diw/DIW_test.csv")[0]


def test_tum_pairs_by_time(data_root: Path) -> None:
    write_tum(data_root / "tum")
    reader = TumRgbd("tum")
    assert [(entry.image.stem, entry.depth.stem) for entry in reader.entries] == [
        ("1.000000", "1.005000"),
        ("1.033000", "1.031000"),
        ("1.066000", "1.075000"),
    ]
    frame = reader[2]
    assert (frame.depth == 3).all()
    assert frame.intrinsics[0, 0] == pytest.approx(520.9)
    (data_root / "tum" / "rgbd_dataset_freiburg2_desk" / "depth.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"depth\.txt: no such file"):
        len(TumRgbd("tum"))


def test_seven_scenes_by_split(data_root: Path) -> None:
    write_seven_scenes(data_root / "seven")
    for split, sequences in (("all", {"seq-01", "seq-02"}), ("train", {"seq-01"}), ("test", {"seq-02"})):
        reader = SevenScenes("seven", split=split)  # type: ignore[arg-type]
        assert {path.parent.name for path in reader.paths} == sequences
    depth = reader[0].depth
    assert depth[0, 0] == 0
    assert (depth.ravel()[1:] == 1.5).all()
    assert len(SevenScenes("seven", scenes=["chess/seq-01"])) == 2
    with pytest.raises(FileNotFoundError, match=r"fire: no such folder; looked for 7-Scenes"):
        len(SevenScenes("seven", scenes=["fire"]))


def test_archives_are_named(data_root: Path) -> None:
    (data_root / "packed.zip").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"packed\.zip is there: unpack it"):
        len(TumRgbd("packed"))


@pytest.mark.parametrize(
    ("write", "read", "step", "far"),
    [
        (io.write_vkitti_depth, io.read_vkitti_depth, 0.01, 655.35),
        (io.write_kitti_depth, io.read_kitti_depth, 1 / 256, 255.99),
        (io.write_millimetres, io.read_millimetres, 0.001, 65.535),
        (io.write_tum_depth, io.read_tum_depth, 1 / 5000, 13.107),
    ],
)
def test_every_encoding_survives_a_round_trip(tmp_path: Path, write, read, step: float, far: float) -> None:  # type: ignore[no-untyped-def]
    depth = np.random.default_rng(0).uniform(0.3, far, (20, 30)).astype(np.float32)
    depth[3, 4] = 0
    write(tmp_path / "d.png", depth)
    np.testing.assert_allclose(read(tmp_path / "d.png"), depth, atol=step / 2 + far * 1e-7)
    again = read(tmp_path / "d.png")
    write(tmp_path / "e.png", again)
    np.testing.assert_array_equal(read(tmp_path / "e.png"), again)
    assert again[3, 4] == 0


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "8-bit", "rgb", "size", "absent"])
@pytest.mark.parametrize("kind", ["vkitti1", "annotated", "nyu", "tum", "seven"])
def test_damaged_depth_is_refused(data_root: Path, kind: str, damage: str) -> None:
    reader, index = READERS[kind](data_root)
    frame, depth = reader[index], reader.files(reader.entries[index])[1]
    height, width = frame.depth.shape
    content = depth.read_bytes()
    match damage:
        case "truncated":
            depth.write_bytes(content[: len(content) // 2])
        case "empty":
            depth.write_bytes(b"")
        case "text":
            depth.write_text("not a picture")
        case "8-bit":
            Image.new("L", (width, height), 7).save(depth)
        case "rgb":
            Image.new("RGB", (width, height)).save(depth)
        case "size":
            Image.fromarray(np.full((5, 6), 2000, np.uint16)).save(depth)
        case "absent":
            depth.unlink()
    with pytest.raises(DamagedFrameError, match=r"damaged|16-bit|depth is \(5, 6\)|no such depth"):
        reader[index]


def vkitti1(root: Path) -> tuple[Reader, int]:
    write_vkitti1(root / "old")
    return VirtualKitti1("old"), 0


def annotated(root: Path) -> tuple[Reader, int]:
    for frame in range(3):
        write_annotated(root / "kitti" / DRIVE, frame, (75, 124))
    return KittiRaw("kitti", "kitti/val.txt", depth="annotated"), 1


def nyu(root: Path) -> tuple[Reader, int]:
    write_nyu_folders(root / "nyu")
    return NyuFolders("nyu", "nyu/list.txt"), 2


def tum(root: Path) -> tuple[Reader, int]:
    write_tum(root / "tum")
    return TumRgbd("tum"), 0


def seven(root: Path) -> tuple[Reader, int]:
    write_seven_scenes(root / "seven")
    return SevenScenes("seven"), 3


READERS = {"vkitti1": vkitti1, "annotated": annotated, "nyu": nyu, "tum": tum, "seven": seven}


def test_a_scan_with_nan_is_refused(data_root: Path) -> None:
    reader = KittiRaw("kitti", "kitti/val.txt")
    scan = np.fromfile(reader.entries[0].truth, np.float32)
    scan[5] = np.nan
    scan.tofile(reader.entries[0].truth)
    with pytest.raises(DamagedFrameError, match="not finite"):
        reader[0]


def test_real_rooms(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    readers: dict[Reader, int] = {
        NyuFolders("nyu", "nyu/nyu_test_files_with_gt.txt"): 3,
        TumRgbd("tum"): 2,
        SevenScenes("seven_scenes", scenes=["redkitchen"]): 100,
    }
    for reader, count in readers.items():
        reader.require_files()
        assert len(reader) == count
        for index in range(0, count, 20):
            frame = reader[index]
            known = frame.depth > 0
            assert frame.depth.shape == (480, 640)
            assert known.mean() > 0.5, frame.path
            assert 0.3 < np.median(frame.depth[known]) < 6, frame.path


def test_camera_of_the_other_side_and_jpg(data_root: Path) -> None:
    right = data_root / "kitti" / DRIVE / "image_03" / "data"
    shutil.copytree(data_root / "kitti" / DRIVE / "image_02" / "data", right)
    for path in right.iterdir():
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    (data_root / "list.txt").write_text(f"{DRIVE} 1 r\n{DRIVE} 2 3")
    reader = KittiRaw("kitti", "list.txt")
    assert [path.name for path in reader.paths] == ["0000000001.jpg", "0000000002.jpg"]
    left = KittiRaw("kitti", "kitti/val.txt")
    assert not np.array_equal(reader[0].depth, left[1].depth)
