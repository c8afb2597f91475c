"""LiDAR points in the image, each against a plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from datamodules import KittiRaw
from datamodules.lidar import LidarDepth, project, read_camera, read_scan
from datamodules.reader import CorruptFrameError


def test_kitti_projects_as_a_plain_loop_does(data_root: Path) -> None:
    for kind in ("camera_z", "forward_x"):
        reader = KittiRaw("kitti", "kitti/val.txt", depth=kind)
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
        assert read_camera(calibration, 2).intrinsics.tolist() == [[70, 0, 61.5], [0, 70, 37], [0, 0, 1]]


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
        for x, y, z, _ in np.fromfile(entry.truth, "<f4").reshape(-1, 4).tolist():
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


def test_kitti_refuses_a_corrupt_scan_and_missing_calibration(data_root: Path) -> None:
    reader = KittiRaw("kitti", "kitti/val.txt")
    scan = reader.entries[0].truth
    scan.write_bytes(scan.read_bytes()[:-3])
    with pytest.raises(CorruptFrameError, match="four float32 values per point"):
        reader[0]
    with pytest.raises(CorruptFrameError, match="no such calibration file"):
        read_camera(data_root / "kitti" / "2011_10_03", 2)


def test_a_scan_with_nan_is_refused(data_root: Path) -> None:
    reader = KittiRaw("kitti", "kitti/val.txt")
    scan = np.fromfile(reader.entries[0].truth, np.float32)
    scan[5] = np.nan
    scan.tofile(reader.entries[0].truth)
    with pytest.raises(CorruptFrameError, match="not finite"):
        reader[0]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("T: 0.0 -0.08 -0.27", "T: 5", "missing or corrupt T"),
        ("T: 0.0 -0.08 -0.27", "T: 0 inf 0", "not finite"),
        ("T: 0.0 -0.08 -0.27", "T: 0 -0.08 -2700", "more than 10 m"),
        ("P_rect_02: 70", "P_rect_02: nan", "not finite"),
        ("P_rect_02: 70", "P_rect_02: -5", "focal lengths -5 and 70 px: not positive"),
        ("P_rect_02: 70", "P_rect_02: 0", "focal lengths 0 and 70 px"),
        ("4.5 0 70", "4500 0 70", "more than 10 m away from camera 0"),
        ("0 0 1 0.002", "0 0 2 0.002", "are not"),
        ("R_rect_00: 1 0", "R_rect_00: 2 0", "R_rect_00 of the calibration is not a rotation"),
        ("R_rect_00: 1 0", "R_rect_00: -1 0", "not a rotation"),
        ("R: 0 -1 0", "R: 0 -1 0.2", "R of the calibration is not a rotation"),
        ("R_rect_00", "S_rect_02: 0 0\nR_rect_00", "outside of S_rect_02"),
        ("R_rect_00", "S_rect_02: 124\nR_rect_00", "corrupt S_rect_02"),
        ("R_rect_00", "\0", "not a text file"),
    ],
)
def test_calibration_that_cannot_be_is_refused(data_root: Path, before: str, after: str, message: str) -> None:
    folder = data_root / "kitti" / "2011_09_26"
    for file in folder.glob("calib_*.txt"):
        file.write_text(file.read_text().replace(before, after))
    with pytest.raises(CorruptFrameError, match=rf"calib_\w+\.txt: .*{message}"):
        KittiRaw("kitti", "kitti/val.txt")[0]
