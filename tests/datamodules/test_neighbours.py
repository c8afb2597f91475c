"""Neighbours of frames: which the readers find, and that images and poses agree after augmentation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import Augmentation, Frame, KittiRaw, Neighbour, VirtualKitti
from datamodules.geometry import turn
from datamodules.reader import CorruptFrameError
from datamodules.samples import collate
from losses import Photometric
from tests.conftest import Cli
from tests.helpers.fake_data import DRIVE, write_picture
from tests.helpers.plane_views import plane_view, pose_of

K = np.array([[100.0, 0, 63.5], [0, 100, 39.5], [0, 0, 1]])
SIZE = (80, 128)


def frame_of_a_plane() -> Frame:
    """A frame with a stereo partner and one turned view."""
    image, depth = plane_view(K, np.eye(4), SIZE)
    poses = pose_of(np.eye(3), (-0.54, 0, 0)), pose_of(turn(2, -3, 1), (0.2, 0, -0.5))
    neighbours = tuple(
        Neighbour(plane_view(K, pose, SIZE)[0], K.astype(np.float32), pose.astype(np.float32)) for pose in poses
    )
    return Frame(image, depth, K.astype(np.float32), "synthetic", Path("plane.png"), neighbours=neighbours)


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(zoom=1, flip=0, photometric=0),
        Augmentation(zoom=1, flip=1, photometric=0),
        Augmentation(zoom=1.5, flip=0.5, photometric=1),
        Augmentation(zoom=1.2, flip=0.5, photometric=0, pitch=(-4, 4), roll=(-4, 4), yaw=(-4, 4)),
    ],
    ids=["none", "flipped", "zoomed and noisy", "not turned"],
)
def test_augmented_views_agree_with_their_poses(augmentation: Augmentation) -> None:
    frame = frame_of_a_plane()
    for key in range(4):
        batch = collate([augmentation(frame, (60, 96), key)])
        batch = batch | {"views": batch["views"] / 255}
        depth = batch["depth"]
        for number in range(2):
            one = batch | {"has_view": torch.tensor([[place == number for place in range(2)]])}
            true, wrong = (float(Photometric()((depth * scale,), one)["loss"]) for scale in (1, 0.7))
            assert true < 0.03
            assert wrong > 2.5 * true


def test_photometric_noise_is_for_the_network_alone() -> None:
    frame = frame_of_a_plane()
    plain, noisy = (Augmentation(photometric=share)(frame, SIZE, 5) for share in (0.0, 1.0))
    assert (plain["views"] == noisy["views"]).all()
    assert (plain["image"] == plain["views"][0]).all()
    assert (noisy["image"] != noisy["views"][0]).any()


def test_a_batch_holds_frames_with_and_without_neighbours() -> None:
    frame = frame_of_a_plane()
    frames = [frame, frame._replace(neighbours=()), frame._replace(neighbours=frame.neighbours[1:])]
    batch = collate([Augmentation(photometric=0)(each, SIZE, 1) for each in frames])
    assert batch["views"].shape == (3, 3, 3, *SIZE)
    assert batch["has_view"].tolist() == [[True, True], [False, False], [True, False]]
    assert batch["pose_known"].all()
    assert (batch["views"][:, 0] == batch["image"]).all()
    assert (batch["poses"][2, 0] == batch["poses"][0, 1]).all()
    assert "views" not in collate([Augmentation()(frames[1], SIZE, 1)])


def test_kitti_has_the_other_camera_and_the_frames_around(data_root: Path) -> None:
    images = data_root / "kitti" / DRIVE
    shutil.copytree(images / "image_02", images / "image_03")
    (data_root / "stereo.txt").write_text("\n".join(f"{DRIVE} {frame} {side}" for frame in range(3) for side in "lr"))
    reader = KittiRaw("kitti", "stereo.txt", depth="none", neighbours=["stereo", "previous", "next"])
    assert [len(frame.neighbours) for frame in reader] == [2, 2, 3, 3, 2, 2]
    left, right = reader[0].neighbours[0].pose, reader[1].neighbours[0].pose
    assert left is not None
    assert right is not None
    # P_rect of cameras 2 and 3: 4.5 and -33 px m with a focal length of 70 px.
    assert left[0, 3] == pytest.approx(-33 / 70 - 4.5 / 70, abs=1e-3)
    assert right[0, 3] == pytest.approx(-left[0, 3])
    assert (left[:3, :3] == np.eye(3)).all()
    assert [each.pose is None for each in reader[2].neighbours] == [False, True, True]
    names = [path.parts[-3] + path.stem[-1] for path in reader.files(reader.entries[3]) if path.suffix]
    assert names == ["image_031", "image_021", "image_030", "image_032"]


def test_a_missing_partner_is_found_before_training(data_root: Path) -> None:
    reader = KittiRaw("kitti", "kitti/val.txt", depth="none", neighbours="stereo")
    with pytest.raises(FileNotFoundError, match=r"files of 3 of its 3 frames are missing.*image_03"):
        reader.require_files()


def test_frames_alone_are_reported(data_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = data_root / "kitti" / DRIVE / "image_02" / "data"
    (images / f"{1:010d}.png").rename(images / f"{7:010d}.png")
    (data_root / "alone.txt").write_text(f"{DRIVE} 0 l\n{DRIVE} 7 l\n")
    reader = KittiRaw("kitti", "alone.txt", depth="none", neighbours="previous,next")
    with pytest.raises(FileNotFoundError, match="no frame has a neighbour of previous or next"):
        len(reader)
    (images / f"{2:010d}.png").rename(images / f"{8:010d}.png")
    assert [len(frame.neighbours) for frame in KittiRaw("kitti", "alone.txt", depth="none", neighbours="next")] == [
        0,
        1,
    ]
    assert "1 of 2 frames have no neighbour" in caplog.text


def test_a_pair_of_different_sizes_is_corrupt(data_root: Path) -> None:
    images = data_root / "kitti" / DRIVE
    shutil.copytree(images / "image_02", images / "image_03")
    write_picture(images / "image_03" / "data" / f"{0:010d}.png", 1, (37, 62))
    reader = KittiRaw("kitti", "kitti/val.txt", depth="none", neighbours="stereo")
    with pytest.raises(CorruptFrameError, match=r"image_03/data/0000000000\.png: the image is 37x62"):
        reader[0]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("P_rect_03: 70 0 {cx} -33 0 70 {cy} 2.2 0 0 1 0.003\n", "", "P_rect_03"),
        ("-33 0 70 {cy} 2.2 0 0 1 0.003", "4.5 0 70 {cy} 0.2 0 0 1 0.002", "are at the same place: no baseline"),
    ],
    ids=["missing", "same place"],
)
def test_a_pair_without_baseline_is_corrupt(data_root: Path, before: str, after: str, message: str) -> None:
    images = data_root / "kitti" / DRIVE
    shutil.copytree(images / "image_02", images / "image_03")
    table = images.parent / "calib_cam_to_cam.txt"
    before, after = (text.format(cx=61.5, cy=37.0) for text in (before, after))
    assert before in table.read_text()
    table.write_text(table.read_text().replace(before, after))
    reader = KittiRaw("kitti", "kitti/val.txt", depth="none", neighbours="stereo")
    with pytest.raises(CorruptFrameError, match=message):
        reader[0]


def test_virtual_kitti_has_poses_of_all(data_root: Path) -> None:
    for folder in (data_root / "vkitti").glob("Scene*/*"):
        for kind in ("rgb", "depth"):
            shutil.copytree(folder / "frames" / kind / "Camera_0", folder / "frames" / kind / "Camera_1")
        cameras = "".join(f"{frame} 1 56.0 56.0 47.5 31.5\n" for frame in range(3))
        (folder / "intrinsic.txt").write_text((folder / "intrinsic.txt").read_text() + cameras)
        poses = "".join(
            f"{frame} {camera} 1 0 0 {-0.5 * camera} 0 1 0 0 0 0 1 {-2 * frame} 0 0 0 1\n"
            for frame in range(3)
            for camera in range(2)
        )
        (folder / "extrinsic.txt").write_text("header\n" + poses)
    frames = list(VirtualKitti("vkitti", scenes=1, variations="clone", neighbours="stereo,previous,next"))
    assert [len(frame.neighbours) for frame in frames] == [2, 3, 2]
    places = [each.pose[:3, 3].tolist() for each in frames[1].neighbours if each.pose is not None]
    assert places == [[-0.5, 0, 0], [0, 0, 2], [0, 0, -2]]
    (data_root / "vkitti" / "Scene01" / "clone" / "extrinsic.txt").unlink()
    with pytest.raises(CorruptFrameError, match=r"rgb_00000\.jpg: no pose for it or for rgb_00001\.jpg in extrinsic"):
        VirtualKitti("vkitti", scenes=1, variations="clone", neighbours="previous")[1]


@pytest.mark.parametrize("reader", [KittiRaw, VirtualKitti])
def test_an_unknown_neighbour_is_refused(reader: type) -> None:
    with pytest.raises(ValueError, match="neighbours: 'left' is none of stereo, previous, next"):
        reader("x", neighbours="left")


def test_shards_refuse_neighbours(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    train = [
        {"class_path": "datamodules.KittiRaw", "init_args": {"root": "kitti", "depth": "none", "neighbours": "next"}}
    ]
    (tmp_path / "d.yaml").write_text(
        f"data: {{class_path: datamodules.DepthDataModule, init_args: {{train: {train}, val: [], test: []}}}}"
    )
    result = cli("data", "shard", "--data", tmp_path / "d.yaml", "--output", tmp_path / "shards")
    assert result.status == 2
    assert "shards do not store neighbours" in result.err
