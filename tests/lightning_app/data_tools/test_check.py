"""`pocketdepth data check`: what is there, every kind of damage, and contact sheets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datamodules
from datamodules.depth_io import write_vkitti_depth
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml
from tests.helpers.fake_data import DRIVE, scan, write_annotated, write_kitti

KITTI = ("KittiRaw", "--root", "kitti", "--split", "kitti/val.txt")
VKITTI = ("VirtualKitti", "--root", "vkitti")


def test_what_is_there(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("data", "check", *VKITTI, "--output", tmp_path / "check")
    assert result.status == 0, result.err
    lines = [line.strip() for line in result.out.splitlines()]
    assert "12 frames, none corrupt" in lines
    assert "height x width 64x96" in lines
    assert "intrinsics fx 56.0, cx 47.5, cy 31.5 px" in lines
    assert any(line.startswith("depth 2.93 to 61.60 m, known at 48.4 % of the pixels") for line in lines), result.out
    sheet = np.asarray(Image.open(tmp_path / "check" / "VirtualKitti-vkitti.png"))
    assert sheet.shape[1] == 4 * 324
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 1000
    assert not (tmp_path / "check" / "broken.txt").exists()


def test_splits_of_a_yaml_and_their_leaks(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    call = ("data", "check", "--data", EXPERIMENTS / "base.yaml", "--data", yaml, "--output", tmp_path / "check")
    result = cli(*call)
    assert result.status == 0, result.err
    for line in ("train: VirtualKitti vkitti", "val: KITTI forward_x val", "test: KITTI forward_x test"):
        assert line in result.out
    assert {path.name for path in (tmp_path / "check").iterdir()} == {"train.png", "val.png", "test.png"}
    (data_root / "kitti" / "test.txt").unlink()
    yaml.write_text(yaml.read_text().replace("VirtualKitti, init_args: {root: vkitti}", f"KittiRaw, init_args: {SAME}"))
    result = cli(*call)
    assert result.status == 1
    assert "test.txt: no such split file" in result.err
    assert "3 training frames are also validation or test frames" in result.err
    assert len((tmp_path / "check" / "broken.txt").read_text().splitlines()) == 2


SAME = "{root: kitti, split: kitti/val.txt}"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def save_8_bits(path: Path) -> None:
    Image.fromarray(np.full((64, 96), 9, np.uint8)).save(path)


def save_zeros(path: Path) -> None:
    write_vkitti_depth(path, np.zeros((64, 96), np.float32))


def save_small(path: Path) -> None:
    write_vkitti_depth(path, np.ones((32, 96), np.float32))


def save_black(path: Path) -> None:
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(path)


def save_nan(path: Path) -> None:
    points = scan(0)
    points[5, 0] = np.nan
    points.tofile(path)


def save_8_bit_values(path: Path) -> None:
    Image.fromarray(np.full((75, 124), 200, np.uint16)).save(path)


ANNOTATED = (*KITTI, "--depth", "annotated")
DAMAGES: dict[str, tuple[tuple[str, ...], str, Callable[[Path], object], str]] = {
    "truncated image": (VKITTI, "*_00001.jpg", truncate, "corrupt image"),
    "truncated PNG": (KITTI, "*image_02/data/*1.png", truncate, "corrupt image (truncated)"),
    "no image": (VKITTI, "*_00001.jpg", lambda path: path.write_bytes(b""), "corrupt image"),
    "black image": (VKITTI, "*_00001.jpg", save_black, "the image has a single colour"),
    "truncated depth": (VKITTI, "*depth_00001.png", truncate, "corrupt depth file (truncated)"),
    "8-bit depth": (VKITTI, "*depth_00001.png", save_8_bits, "depth must be a 16-bit PNG with 1 channel"),
    "8-bit values": (
        ANNOTATED,
        "*groundtruth/image_02/*1.png",
        save_8_bit_values,
        "the 16-bit PNG contains 8-bit depth",
    ),
    "all zero": (VKITTI, "*depth_00001.png", save_zeros, "depth has no known pixel"),
    "another size": (VKITTI, "*depth_00001.png", save_small, "depth has shape (32, 96), but its image has (64, 96)"),
    "no depth": (VKITTI, "*depth_00001.png", Path.unlink, "no such depth file"),
    "no scan": (KITTI, "*1.bin", Path.unlink, "no such LiDAR scan"),
    "cut scan": (KITTI, "*1.bin", truncate, "a scan has four float32 values per point"),
    "NaN": (KITTI, "*1.bin", save_nan, "the scan has values that are not finite"),
    "no calibration": (KITTI, "*calib_cam_to_cam.txt", Path.unlink, "no such calibration file"),
    "no intrinsics": (VKITTI, "*intrinsic.txt", Path.unlink, "(without intrinsic.txt): the image is 64x96"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_named_and_drawn(damage: str, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    arguments, pattern, break_it, message = DAMAGES[damage]
    for frame in range(3):
        write_annotated(data_root / "kitti" / DRIVE, frame, (75, 124))
    broken = [path for path in sorted(data_root.rglob("*")) if path.match(pattern)]
    if broken[0].suffix in (".jpg", ".png"):  # one frame; of calibration all
        broken = broken[:1]
    for path in broken:
        break_it(path)
    result = cli("data", "check", *arguments, "--output", tmp_path / "check")
    assert result.status == 1, result
    assert message in result.err
    assert "Traceback" not in result.err
    assert result.err.splitlines()[-1].startswith("pocketdepth: error: ")
    problems = (tmp_path / "check" / "broken.txt").read_text().splitlines()
    assert all(message in problem for problem in problems)
    assert f"{len(problems)} corrupt" in result.out
    sheet = np.asarray(Image.open(next((tmp_path / "check").glob("*.png"))).convert("RGB")).reshape(-1, 3)
    assert ((sheet == (0xB0, 0x30, 0x30)) | (sheet == (0xD0, 0x20, 0x20))).all(1).any()


def test_several_damages_at_once(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    images, depths = (sorted((data_root / "vkitti").rglob(f"{kind}_*")) for kind in ("rgb", "depth"))
    truncate(images[0])
    save_8_bits(depths[0])  # of the same frame: the first that is met is reported
    save_zeros(depths[4])
    save_black(images[4])
    truncate(images[7])
    result = cli("data", "check", *VKITTI, "--output", tmp_path / "check")
    assert result.status == 1
    assert "12 frames, 3 corrupt" in result.out
    problems = (tmp_path / "check" / "broken.txt").read_text()
    assert [str(path) in problems for path in (images[0], images[4], images[7])] == [True] * 3
    shutil.rmtree(images[-1].parents[1])
    gone = cli("data", "check", *VKITTI, "--output", tmp_path / "check")
    assert gone.status == 2
    assert f"{images[-1].parent}: no rgb_*.jpg in it" in gone.err


def test_frames_that_are_listed_twice(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    (data_root / "list.txt").write_text(f"{DRIVE} 1 l\n{DRIVE} 1 l\n")
    result = cli("data", "check", *KITTI[:4], "list.txt", "--output", tmp_path / "check")
    assert result.status == 1
    assert "0000000001.png: listed 2 times" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a reader with its arguments"),
        (("Kitti",), "no reader 'Kitti'; there are Diw, KittiRaw"),
        (("NyuFolders", "--root", "kitti"), "required: split"),
        ((*KITTI, "--deph", "none"), "unrecognized arguments: --deph none"),
        ((*KITTI, "--depth", "lidar"), "lidar"),
        (
            (*KITTI, "--data", "base.yaml"),
            "name a reader with its arguments (VirtualKitti --root streets), or else give --data",
        ),
        (("--data", "nowhere.yaml"), "nowhere.yaml: no such YAML"),
        (("no.such.Reader", "--root", "x"), "No module named 'no'"),
        (("..X",), "..X: "),
        (("VirtualKitti", "--root", "vkitti", "--scenes", "Scene1"), "no Scene1; found Scene01, Scene02"),
        (("VirtualKitti", "--root", "vkitti", "--cameras", "left"), "cameras: expected a list: '[a, b]'"),
        (("VirtualKitti", "--root", "vkitti", "--max_depth", "700"), "max_depth 700.0 is not between 0 and 655.35 m"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: tuple[str, ...], message: str, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    result = cli("data", "check", *arguments, "--output", tmp_path / "check")
    assert result.status == 2, result
    assert message in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


def test_list_of_another_data_set(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    write_kitti(data_root / "other")
    (data_root / "list.txt").write_text("2011_10_03/2011_10_03_drive_0027_sync 5 l\n")
    result = cli("data", "check", *KITTI[:4], "list.txt", "--output", tmp_path / "check")
    assert result.status == 1
    assert "no such image" in result.err
    (data_root / "list.txt").write_text("\n\n")
    result = cli("data", "check", *KITTI[:4], "list.txt", "--output", tmp_path / "check")
    assert result.status == 2
    assert "the split file is empty" in result.err


def test_readers_are_listed_and_explained(cli: Cli) -> None:
    readers = [name for name in datamodules.__all__ if is_reader(getattr(datamodules, name))]
    listed = cli("data", "readers").out.splitlines()
    assert [line.split()[0] for line in listed] == readers
    assert all(len(line.split()) > 3 for line in listed)
    for name in readers:
        shown = cli("data", "readers", name).out
        assert "Args:" in shown
        assert getattr(datamodules, name).layout in shown
    assert "no reader 'Kitti'; there are Diw, KittiRaw" in cli("data", "readers", "Kitti").err


def is_reader(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, datamodules.Reader) and item is not datamodules.Reader
