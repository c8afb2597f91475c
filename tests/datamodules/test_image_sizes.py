"""Cameras of images whose size is not that of their calibration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from datamodules import KittiRaw, Make3D, NyuFolders, NyuLabeled, Reader, SevenScenes, TumRgbd, VirtualKitti
from datamodules import VirtualKitti1 as OldVirtualKitti
from datamodules.depth_io import write_vkitti_depth
from datamodules.nyu import INTRINSICS
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import (
    CAM_TO_CAM,
    DRIVE,
    write_annotated,
    write_make3d,
    write_nyu_folders,
    write_nyu_labeled,
    write_seven_scenes,
    write_tum,
    write_vkitti1,
)


def kitti(root: Path) -> Reader:
    calibration = root / "kitti" / "2011_09_26" / "calib_cam_to_cam.txt"
    calibration.write_text("S_rect_02: 1.24e+02 7.5e+01\n" + calibration.read_text())
    return KittiRaw("kitti", "kitti/val.txt")


def published_vkitti(root: Path) -> Reader:
    write_vkitti1(root / "old", worlds=("0001",), variations=("clone",))
    folder = root / "new" / "Scene01" / "clone"
    for kind, old, name in (("rgb", "rgb", "rgb_00000.jpg"), ("depth", "depthgt", "depth_00000.png")):
        new = folder / "frames" / kind / "Camera_0" / name
        new.parent.mkdir(parents=True)
        Image.open(root / "old" / f"vkitti_1.3.1_{old}" / "0001" / "clone" / "00000.png").save(new)
    (folder / "intrinsic.txt").write_text("frame cameraID\n0 0 725.0087 725.0087 620.5 187\n")
    return VirtualKitti("new")


def old_vkitti(root: Path) -> Reader:
    write_vkitti1(root / "old", worlds=("0001",), variations=("clone",))
    return OldVirtualKitti("old")


def nyu(root: Path) -> Reader:
    write_nyu_folders(root / "nyu")
    return NyuFolders("nyu", "nyu/list.txt")


def tum(root: Path) -> Reader:
    write_tum(root / "tum")
    return TumRgbd("tum")


def seven_scenes(root: Path) -> Reader:
    write_seven_scenes(root / "seven")
    return SevenScenes("seven")


READERS = [kitti, published_vkitti, old_vkitti, nyu, tum, seven_scenes]


def redraw(reader: Reader, change: Callable[[Image.Image], Image.Image]) -> None:
    """Change the image of the first frame, and its depth map, if it is an image."""
    for file in reader.files(reader.entries[0])[:2]:
        if file.suffix in (".png", ".jpg"):
            changed = change(Image.open(file))
            changed.save(file)


@pytest.mark.parametrize("make", READERS)
@pytest.mark.parametrize("scale", [0.5, 2])
def test_intrinsics_follow_a_scaled_image(data_root: Path, make: Callable[[Path], Reader], scale: float) -> None:
    reader = make(data_root)
    before = reader[0].intrinsics
    redraw(reader, lambda image: image.resize((round(image.width * scale), round(image.height * scale)), 0))
    after = reader[0].intrinsics
    np.testing.assert_allclose(after[0, 0], scale * before[0, 0], rtol=1e-6)
    np.testing.assert_allclose(after[0, 2], scale * (before[0, 2] + 0.5) - 0.5, rtol=1e-6)
    np.testing.assert_allclose(after[1], scale * before[1], rtol=0.03)  # 75 rows become 38


@pytest.mark.parametrize("make", READERS)
def test_a_crop_names_both_sizes(data_root: Path, make: Callable[[Path], Reader]) -> None:
    reader = make(data_root)
    height, width = reader[0].image.shape[:2]
    redraw(reader, lambda image: image.crop((0, 0, width // 2, height)))
    with pytest.raises(CorruptFrameError, match=rf"the image is {height}x{width // 2} \(.*, but its camera"):
        reader[0]


def test_lidar_follows_a_scaled_image(data_root: Path) -> None:
    """A point keeps its place in the scene: in a doubled image at twice its pixel, up to rounding."""
    reader = kitti(data_root)
    small = reader[0].depth
    redraw(reader, lambda image: image.resize((image.width * 2, image.height * 2)))
    large = reader[0].depth
    rows, columns = np.nonzero(large)
    assert 0.9 * (small > 0).sum() < len(rows) < 2 * (small > 0).sum()
    nearest = np.full(small.shape, np.inf, np.float32)
    np.minimum.at(nearest, (rows // 2, columns // 2), large[rows, columns])
    same = np.isclose(nearest, small, rtol=1e-5)
    assert same[small > 0].mean() > 0.9


def test_lidar_of_the_calibrated_size_is_exact(data_root: Path) -> None:
    without_size = KittiRaw("kitti", "kitti/val.txt")[0]
    with_size = kitti(data_root)[0]
    np.testing.assert_array_equal(with_size.depth, without_size.depth)
    np.testing.assert_array_equal(with_size.intrinsics, without_size.intrinsics)


@pytest.mark.parametrize("depth", ["camera_z", "none"])
def test_calibration_that_states_no_size_must_be_centred(data_root: Path, depth: str) -> None:
    folder = data_root / "kitti" / "2011_09_26"
    (folder / "calib_velo_to_cam.txt").rename(folder / "moved.txt") if depth == "none" else None
    reader = KittiRaw("kitti", "kitti/val.txt", depth)  # type: ignore[arg-type]
    reader[0]  # a frame without LiDAR needs no calib_velo_to_cam.txt
    redraw(reader, lambda image: image.resize((62, 38)))
    with pytest.raises(CorruptFrameError, match=r"is 38x62 .* principal point .*\(61.5, 37\), is the centre of 75x124"):
        reader[0]


def test_kitti_crops_with_a_calibration_of_their_own(data_root: Path) -> None:
    text = "S_rect_02: 124 75\n" + CAM_TO_CAM.format(cx=60, cy=8)  # far from the centre
    (data_root / "kitti" / "2011_09_26" / "calib_cam_to_cam.txt").write_text(text)
    assert KittiRaw("kitti", "kitti/val.txt")[0].intrinsics[1, 2] == 8


def test_annotated_depth_of_another_size_is_refused(data_root: Path) -> None:
    write_annotated(data_root / "kitti" / DRIVE, 0, (150, 248))
    with pytest.raises(CorruptFrameError, match=r"depth has shape \(150, 248\), but its image has \(75, 124\)"):
        KittiRaw("kitti", "kitti/val.txt", depth="annotated")[0]


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ("28 28 23.5 15.5", r"is 64x96 .*\(23.5, 15.5\), is the centre of 32x48"),
        ("112 112 95.5 63.5", "is the centre of 128x192"),
        ("725.0087 725.0087 620.5 187", r"is 64x96 .* calibrated for 375x1242"),
        ("nan 56 47.5 31.5", r"intrinsic\.txt: .*not finite"),
        ("56 inf 47.5 31.5", "not finite"),
        ("-5 56 47.5 31.5", "focal lengths -5 and 56 px: not positive"),
        ("0 0 47.5 31.5", "focal lengths 0 and 0 px"),
        ("56 56 nan 31.5", "not finite"),
        ("fx fy cx cy", "no intrinsics for this frame"),
        ("\0", "no intrinsics for this frame"),
    ],
)
def test_intrinsics_of_vkitti_that_cannot_be_are_refused(data_root: Path, camera: str, message: str) -> None:
    table = data_root / "vkitti" / "Scene01" / "clone" / "intrinsic.txt"
    table.write_text(f"frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]\n0 0 {camera}\n")
    with pytest.raises(CorruptFrameError, match=rf"rgb_00000\.jpg: .*{message}"):
        VirtualKitti("vkitti")[0]


def test_vkitti_like_kitti_is_a_little_off_centre(data_root: Path) -> None:
    table = data_root / "vkitti" / "Scene01" / "clone" / "intrinsic.txt"
    table.write_text("frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]\n0 0 56 56 46.6 29.1\n")
    assert VirtualKitti("vkitti")[0].intrinsics[1, 2] == np.float32(29.1)


def test_vkitti_without_its_text_is_scaled(data_root: Path) -> None:
    reader = published_vkitti(data_root)
    (data_root / "new" / "Scene01" / "clone" / "intrinsic.txt").unlink()
    redraw(reader, lambda image: image.resize((621, 188)))
    write_vkitti_depth(reader.files(reader.entries[0])[1], np.ones((188, 621), np.float32))
    assert VirtualKitti("new")[0].intrinsics[0].tolist() == pytest.approx([725.0087 / 2, 0, 310.0])


def test_nyu_labeled_of_half_the_size(data_root: Path) -> None:
    write_nyu_labeled(data_root / "nyu")
    with h5py.File(data_root / "nyu" / "nyu_depth_v2_labeled.mat", "r+") as file:
        images, depths = file["images"][..., ::2, ::2], file["rawDepths"][..., ::2, ::2]
        del file["images"], file["rawDepths"]
        file["images"], file["rawDepths"] = images, depths
    frame = NyuLabeled("nyu", "train")[0]
    assert frame.image.shape == (240, 320, 3)
    np.testing.assert_allclose(frame.intrinsics[:2, 2], (INTRINSICS[:2, 2] + 0.5) / 2 - 0.5, rtol=1e-6)


def test_make3d_crops_are_refused(data_root: Path) -> None:
    write_make3d(data_root / "make3d", frames=1)
    reader = Make3D("make3d")
    redraw(reader, lambda image: image)
    path = reader.paths[0]
    Image.open(path).resize((345, 460)).save(path)
    assert reader[0].image.shape == (172, 345, 3)
    Image.new("RGB", (1704, 852)).save(path)
    with pytest.raises(CorruptFrameError, match=r"852x1704 \(.*, but its camera is calibrated for 2272x1704"):
        reader[0]


def test_real_kitti_halved(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiDAR of a halved image is that of the full one, at half the resolution."""
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    full = KittiRaw("kitti", "kitti/splits/val_files.txt")
    place = next(index for index, path in enumerate(full.paths) if "2011_09_28" in str(path))  # 1224x370, both even
    entry = full.entries[place]
    image = tmp_path / entry.image.name
    Image.open(entry.image).resize((612, 185)).save(image)
    half, whole = full.read(entry._replace(image=image)), full[place]
    np.testing.assert_allclose(half.intrinsics[0, 0], whole.intrinsics[0, 0] / 2)
    rows, columns = np.nonzero(half.depth)
    nearest = np.where(whole.depth > 0, whole.depth, np.inf).reshape(185, 2, 612, 2).min((1, 3))
    assert np.isclose(nearest[rows, columns], half.depth[rows, columns], rtol=1e-5).mean() > 0.95
