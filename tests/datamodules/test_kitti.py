from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import KittiRaw, NyuFolders
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import DRIVE, road, write_annotated


def test_kitti_frames_keep_their_own_size(data_root: Path) -> None:
    assert KittiRaw("kitti", "kitti/val.txt")[0].image.shape == (75, 124, 3)
    assert KittiRaw("kitti", "kitti/test.txt")[0].image.shape == (74, 122, 3)
    assert not KittiRaw("kitti", "kitti/test.txt", depth="none")[0].depth.any()


def test_kitti_accepts_every_spelling_of_a_line(data_root: Path) -> None:
    (data_root / "list.txt").write_text(f"{DRIVE} 0000000001 2\n\n{DRIVE} 2 l")
    paths = KittiRaw("kitti", "list.txt").paths
    assert [path.stem for path in paths] == ["0000000001", "0000000002"]
    image = paths[0]
    Image.open(image).save(image.with_suffix(".jpg"))
    image.unlink()
    assert KittiRaw("kitti", "list.txt").paths[0].suffix == ".jpg"


def test_kitti_counts_what_a_list_names_and_is_not_there(data_root: Path) -> None:
    (data_root / "list.txt").write_text("".join(f"{DRIVE} {frame} l\n" for frame in range(8)))
    with pytest.raises(
        FileNotFoundError,
        match=r"files of 5 of its 8 frames are missing: .*0000000003\.png, .*, \.\.\.; looked for KITTI",
    ):
        KittiRaw("kitti", "list.txt").require_files()
    (data_root / "list.txt").write_text("kitchen/rgb_1.jpg kitchen/depth_1.png 518.8\n")
    with pytest.raises(
        ValueError, match=r"neither monodepth2's .* nor bts's .*; is it a split file of another data set"
    ):
        len(KittiRaw("kitti", "list.txt"))
    (data_root / "list.txt").write_text("\n")
    with pytest.raises(ValueError, match="the split file is empty"):
        len(KittiRaw("kitti", "list.txt"))


def test_real_kitti_frames(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    for split, count in (("val", 17), ("test", 14)):
        reader = KittiRaw("kitti", f"kitti/splits/{split}_files.txt", depth="forward_x")
        assert len(reader) == count
        for frame in reader:
            share = (frame.depth > 0).mean()
            assert 0.02 < share < 0.08, (frame.path, share)
            assert 0 < frame.depth[frame.depth > 0].min() < 10
            assert frame.intrinsics[0, 0] == pytest.approx(frame.image.shape[1] * 0.58, rel=0.01)


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
    with pytest.raises(CorruptFrameError, match="the 16-bit PNG contains 8-bit depth"):
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
    with pytest.raises(FileNotFoundError, match=r"files of 697 of its 697 frames .*split file of another data set"):
        eigen.require_files()
    nyu = str(real_data / "splits" / "bts" / "nyudepthv2_test_files_with_gt.txt")
    with pytest.raises(ValueError, match="is it a split file of another data set"):
        len(KittiRaw("kitti", nyu))
    assert len(NyuFolders("kitti", nyu)) == 654
    with pytest.raises(ValueError, match="is it a split file of another data set"):
        len(NyuFolders("kitti", str(bts.split)))


def test_kitti_lists_with_a_byte_order_mark(data_root: Path) -> None:
    (data_root / "list.txt").write_text(f"{DRIVE} 1 l\n", encoding="utf-8-sig")
    KittiRaw("kitti", "list.txt").require_files()


def test_kitti_needs_all_fields_of_a_line(data_root: Path) -> None:
    (data_root / "list.txt").write_text(f"{DRIVE}/image_02/data/0000000000.png\n")
    with pytest.raises(ValueError, match="is neither monodepth2's"):
        len(KittiRaw("kitti", "list.txt", depth="annotated"))


def test_kitti_drives_that_are_links_are_one_scene(data_root: Path) -> None:
    (data_root / "kitti" / DRIVE.replace("0001", "0099")).symlink_to(data_root / "kitti" / DRIVE)
    (data_root / "list.txt").write_text(f"{DRIVE.replace('0001', '0099')} 1 l\n")
    assert KittiRaw("kitti", "list.txt").scenes_found == KittiRaw("kitti", "kitti/val.txt").scenes_found
