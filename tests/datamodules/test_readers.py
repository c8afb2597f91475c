from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import KittiRaw, Photos, VirtualKitti
from datamodules.depth_io import read_vkitti_depth, write_vkitti_depth
from datamodules.lidar import LidarDepth, project, read_calibration, read_scan
from datamodules.reader import DamagedFrameError
from tests.fakes import SIZE, road


def test_vkitti_reads_what_was_written(data_root: Path) -> None:
    reader = VirtualKitti("vkitti", scenes=["Scene01"], variations=["fog"])
    assert len(reader) == 3
    frame = reader[1]
    truth = road(SIZE, 56.0)
    near = truth <= 80
    np.testing.assert_allclose(frame.depth[near], truth[near], atol=0.00501)
    assert (frame.depth[~near] == 0).all()
    assert frame.intrinsics.tolist() == [[56.0, 0.0, 47.5], [0.0, 56.0, 31.5], [0.0, 0.0, 1.0]]
    assert frame.domain == "synthetic"
    assert frame.path.name == "rgb_00001.jpg"


def test_vkitti_clamps_the_sky(data_root: Path) -> None:
    depth = VirtualKitti("vkitti", max_depth=50.0, beyond="clamp")[0].depth
    assert depth.max() == 50.0
    assert (depth > 0).all()


@pytest.mark.parametrize("layout", ["vkitti_2.0.3_{}", "{}"])
def test_vkitti_reads_every_way_of_unpacking(data_root: Path, layout: str) -> None:
    merged = VirtualKitti("vkitti")
    split = data_root / "split"
    for scene in ("Scene01", "Scene02"):
        for variation in ("clone", "fog"):
            source = data_root / "vkitti" / scene / variation
            for kind in ("rgb", "depth"):
                shutil.copytree(
                    source / "frames" / kind, split / layout.format(kind) / scene / variation / "frames" / kind
                )
            text = split / layout.format("textgt") / scene / variation
            text.mkdir(parents=True)
            shutil.copy(source / "intrinsic.txt", text)
    other = VirtualKitti("split")
    assert len(other) == len(merged) == 12
    for one, two in zip(merged, other, strict=True):
        np.testing.assert_array_equal(one.depth, two.depth)
        np.testing.assert_array_equal(one.image, two.image)


def test_vkitti_depth_survives_a_round_trip(tmp_path: Path) -> None:
    depth = np.random.default_rng(0).uniform(0.01, 655.35, (8, 9)).astype(np.float32)
    write_vkitti_depth(tmp_path / "d.png", depth)
    np.testing.assert_allclose(read_vkitti_depth(tmp_path / "d.png"), depth, atol=0.00502)


def test_vkitti_names_what_is_missing(data_root: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no Scene99; there is Scene01, Scene02; looked for Virtual KITTI 2\.0\.3"
    ):
        len(VirtualKitti("vkitti", scenes=["Scene99"]))
    with pytest.raises(
        FileNotFoundError, match=r"nowhere: no such folder; looked for Virtual KITTI.*POCKETDEPTH_DATA is"
    ):
        len(VirtualKitti("nowhere"))


def test_vkitti_refuses_damaged_frames(data_root: Path) -> None:
    reader = VirtualKitti("vkitti")
    image, depth, *_ = reader.entries[0]
    depth.write_bytes(depth.read_bytes()[:-100])
    with pytest.raises(DamagedFrameError, match="damaged depth file"):
        reader[0]
    Image.new("L", SIZE[::-1]).save(depth)
    with pytest.raises(
        DamagedFrameError, match=r"must be a 16-bit PNG of one channel, this one has 8 bits and 1 channels"
    ):
        reader[0]
    write_vkitti_depth(depth, np.full((5, 5), 9, np.float32))
    with pytest.raises(DamagedFrameError, match=r"depth is \(5, 5\), its image \(64, 96\)"):
        reader[0]
    image.write_bytes(image.read_bytes()[:400])
    with pytest.raises(DamagedFrameError, match=r"rgb_00000\.jpg: damaged image"):
        reader[0]


def test_kitti_projects_as_a_plain_loop_does(data_root: Path) -> None:
    for kind in ("camera_z", "forward_x"):
        reader = KittiRaw("kitti", "kitti/val.txt", depth=kind)  # type: ignore[arg-type]
        frame = reader[0]
        height, width = frame.depth.shape
        expected = np.zeros((height, width))
        calibration = data_root / "kitti" / "2011_09_26"
        projection = np.array([[70, 0, 61.5, 4.5], [0, 70, 37, 0.2], [0, 0, 1, 0.002]])
        for x, y, z in read_scan(reader.entries[0].truth)[:, :3].astype(np.float64).tolist():
            if x < 0:
                continue
            camera = np.array([-y, -z - 0.08, x - 0.27, 1.0])
            u, v, w = projection @ camera
            if w <= 0:
                continue
            column, row = round(u / w) - 1, round(v / w) - 1
            depth = w if kind == "camera_z" else x
            inside = 0 <= column < width and 0 <= row < height
            if inside and (expected[row, column] == 0 or depth < expected[row, column]):
                expected[row, column] = depth
        assert (expected > 0).sum() > 500
        np.testing.assert_allclose(frame.depth, expected, rtol=1e-6)
        assert read_calibration(calibration, 2).intrinsics.tolist() == [[70, 0, 61.5], [0, 70, 37], [0, 0, 1]]


def test_kitti_frames_keep_their_own_size(data_root: Path) -> None:
    assert KittiRaw("kitti", "kitti/val.txt")[0].image.shape == (75, 124, 3)
    assert KittiRaw("kitti", "kitti/test.txt")[0].image.shape == (74, 122, 3)
    assert not KittiRaw("kitti", "kitti/test.txt", depth="none")[0].depth.any()


def test_kitti_accepts_every_spelling_of_a_line(data_root: Path) -> None:
    drive = "2011_09_26/2011_09_26_drive_0001_sync"
    (data_root / "list.txt").write_text(f"{drive} 0000000001 2\n\n{drive} 2 l")
    paths = KittiRaw("kitti", "list.txt").paths
    assert [path.stem for path in paths] == ["0000000001", "0000000002"]
    image = paths[0]
    Image.open(image).save(image.with_suffix(".jpg"))
    image.unlink()
    assert KittiRaw("kitti", "list.txt").paths[0].suffix == ".jpg"


def test_kitti_counts_what_a_list_names_and_is_not_there(data_root: Path) -> None:
    drive = "2011_09_26/2011_09_26_drive_0001_sync"
    (data_root / "list.txt").write_text("".join(f"{drive} {frame} l\n" for frame in range(8)))
    with pytest.raises(
        FileNotFoundError,
        match=r"files of 5 of its 8 frames are not there: .*0000000003\.png, .*, \.\.\.; looked for KITTI",
    ):
        KittiRaw("kitti", "list.txt").require_files()
    (data_root / "list.txt").write_text("kitchen/rgb_1.jpg kitchen/depth_1.png 518.8\n")
    with pytest.raises(ValueError, match=r"neither monodepth2's .* nor bts's .*; is it a list of another data set"):
        len(KittiRaw("kitti", "list.txt"))
    (data_root / "list.txt").write_text("\n")
    with pytest.raises(ValueError, match="the list is empty"):
        len(KittiRaw("kitti", "list.txt"))


def test_kitti_refuses_a_damaged_scan_and_missing_calibration(data_root: Path) -> None:
    reader = KittiRaw("kitti", "kitti/val.txt")
    scan = reader.entries[0].truth
    scan.write_bytes(scan.read_bytes()[:-3])
    with pytest.raises(DamagedFrameError, match="four float32 a point"):
        reader[0]
    with pytest.raises(DamagedFrameError, match="no such calibration file"):
        read_calibration(data_root / "kitti" / "2011_10_03", 2)


def test_photos_are_found_in_folders_of_folders(data_root: Path) -> None:
    reader = Photos("photos")
    assert [path.name for path in reader.paths] == ["a.jpg", "b.png", "c.jpeg"]
    assert not reader[1].depth.any()
    (data_root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \.jpg, \.jpeg or \.png file"):
        len(Photos("empty"))


def test_real_kitti_frames(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    for split, count in (("val", 11), ("test", 10)):
        reader = KittiRaw("kitti", f"kitti/splits/{split}_files.txt", depth="forward_x")
        assert len(reader) == count
        for frame in reader:
            share = (frame.depth > 0).mean()
            assert 0.02 < share < 0.08, (frame.path, share)
            assert 0 < frame.depth[frame.depth > 0].min() < 10
            assert frame.intrinsics[0, 0] == pytest.approx(frame.image.shape[1] * 0.58, rel=0.01)


@pytest.mark.parametrize("kind", ["camera_z", "forward_x"])
def test_real_lidar_is_projected_as_a_plain_loop_does(
    kind: LidarDepth, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One frame of each recording date, point by point, with the transformations applied one after another."""
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    reader = KittiRaw("kitti", "kitti/splits/val_files.txt", depth=kind)
    by_date = {entry.image.parts[-5]: index for index, entry in enumerate(reader.entries)}
    assert len(by_date) == 3
    for index in by_date.values():
        entry, depth = reader.entries[index], reader[index].depth
        texts = [(entry.calibration / f"calib_{name}.txt").read_text() for name in ("cam_to_cam", "velo_to_cam")]
        values = dict(line.split(": ") for text in texts for line in text.splitlines())
        keys = ("R", "T", "R_rect_00", f"P_rect_0{entry.camera}")
        velo, shift, rectify, to_image = (list(map(float, values[key].split())) for key in keys)
        expected: dict[tuple[int, int], float] = {}
        for x, y, z, _ in np.fromfile(entry.truth, "<f4").reshape(-1, 4).tolist():  # type: ignore[arg-type]
            camera = [dot(velo[3 * i : 3 * i + 3], (x, y, z)) + shift[i] for i in range(3)]
            rectified = [dot(rectify[3 * i : 3 * i + 3], camera) for i in range(3)]
            u, v, w = (dot(to_image[4 * i : 4 * i + 4], [*rectified, 1]) for i in range(3))
            if x < 0 or w <= 0:
                continue
            place, metres = (round(v / w) - 1, round(u / w) - 1), w if kind == "camera_z" else x
            expected[place] = min(expected.get(place, np.inf), metres)
        height, width = depth.shape
        inside = {
            place: m for place, m in expected.items() if 0 <= place[0] < height and 0 <= place[1] < width and m > 0
        }
        assert set(map(tuple, np.argwhere(depth > 0).tolist())) == set(inside)
        for place, metres in inside.items():
            assert depth[place] == pytest.approx(metres, rel=1e-6)


def dot(one: Sequence[float], two: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, two, strict=True))


def test_project_keeps_the_nearest_of_two_points() -> None:
    scan = np.array([[10, 0, 0, 0], [5, 0, 0, 0], [-5, 0, 0, 0]], np.float32)
    forward = np.array([[10.0, -100, 0, 0], [10, 0, -100, 0], [1, 0, 0, 0]])
    depth = project(scan, forward, (20, 20), "camera_z")
    assert depth[9, 9] == 5.0
    assert (depth > 0).sum() == 1
