"""Fake data sets in the true layouts and encodings, and the command line as users call it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import wandb
from numpy.typing import NDArray
from PIL import Image

from datamodules.depth_io import write_vkitti_depth
from lightning_app.app import main

SIZE = (64, 96)
REAL_DATA = Path(os.environ.get("POCKETDEPTH_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Result(NamedTuple):
    """What a call of the command line left."""

    status: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Call ``pocketdepth`` in this process."""

    def call(*args: object) -> Result:
        status: object = 0
        try:
            main([str(arg) for arg in args])
        except SystemExit as stop:
            status = stop.code
        wandb.finish()  # a process of its own would end its run
        captured = capfd.readouterr()
        if isinstance(status, str):
            return Result(1, captured.out, captured.err + status)
        return Result(int(status or 0) if isinstance(status, int | None) else 1, captured.out, captured.err)

    return call


@pytest.fixture
def real_data() -> Path:
    """Real frames; a test that asks for them skips where there are none."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA} (POCKETDEPTH_REAL_DATA)")
    return REAL_DATA


@pytest.fixture
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with ``vkitti``, ``kitti`` (which holds ``val.txt`` and ``test.txt``) and ``photos``."""
    root = tmp_path / "data"
    write_vkitti(root / "vkitti")
    write_kitti(root / "kitti")
    write_photos(root / "photos")
    monkeypatch.setenv("POCKETDEPTH_DATA", str(root))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("POCKETDEPTH_DEBUG", raising=False)
    return root


def picture(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A smooth random picture, so that JPEG keeps it."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (4, 6, 3), dtype=np.uint8))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))


def road(size: tuple[int, int], focal: float, height_m: float = 1.65) -> NDArray[np.float32]:
    """Depth of a flat road below the middle row, 655.35 m (the sky) above."""
    rows = np.arange(size[0], dtype=np.float32)[:, None] - (size[0] - 1) / 2
    depth = np.where(rows > 0, focal * height_m / np.maximum(rows, 1e-3), 655.35)
    return np.broadcast_to(np.minimum(depth, 655.35), size).astype(np.float32)


def write_vkitti(
    root: Path, scenes: tuple[str, ...] = ("Scene01", "Scene02"), variations: tuple[str, ...] = ("clone", "fog")
) -> None:
    """Virtual KITTI 2.0.3 as one merged tree, three frames a scene and variation."""
    for scene in scenes:
        for variation in variations:
            folder = root / scene / variation
            rgb, depth = (folder / "frames" / kind / "Camera_0" for kind in ("rgb", "depth"))
            rgb.mkdir(parents=True)
            depth.mkdir(parents=True)
            lines = ["frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]"]
            for frame in range(3):
                Image.fromarray(picture(frame + len(scene + variation), SIZE)).save(rgb / f"rgb_{frame:05d}.jpg")
                write_vkitti_depth(depth / f"depth_{frame:05d}.png", road(SIZE, 56.0))
                lines.append(f"{frame} 0 56.0 56.0 47.5 31.5")
            (folder / "intrinsic.txt").write_text("\n".join(lines) + "\n")


CAM_TO_CAM = """calib_time: 09-Jan-2012 13:57:47
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 70 0 {cx} 4.5 0 70 {cy} 0.2 0 0 1 0.002
P_rect_03: 70 0 {cx} -33 0 70 {cy} 2.2 0 0 1 0.003
"""
VELO_TO_CAM = """calib_time: 15-Mar-2012 11:37:16
R: 0 -1 0 0 0 -1 1 0 0
T: 0.0 -0.08 -0.27
"""


def write_kitti(root: Path) -> None:
    """KITTI raw: two dates with frames of different sizes, three frames each, and the lists val.txt and test.txt."""
    lines = []
    for date, size in (("2011_09_26", (75, 124)), ("2011_09_28", (74, 122))):
        drive = f"{date}/{date}_drive_0001_sync"
        images = root / drive / "image_02" / "data"
        scans = root / drive / "velodyne_points" / "data"
        images.mkdir(parents=True)
        scans.mkdir(parents=True)
        center = {"cx": (size[1] - 1) / 2, "cy": (size[0] - 1) / 2}
        (root / date / "calib_cam_to_cam.txt").write_text(CAM_TO_CAM.format(**center))
        (root / date / "calib_velo_to_cam.txt").write_text(VELO_TO_CAM)
        for frame in range(3):
            Image.fromarray(picture(frame + size[0], size)).save(images / f"{frame:010d}.png")
            scan(frame).tofile(scans / f"{frame:010d}.bin")
            lines.append(f"{drive} {frame} l")
    (root / "val.txt").write_text("\n".join(lines[:3]) + "\n")
    (root / "test.txt").write_text("\n".join(lines[3:]))  # without a final newline


def scan(seed: int) -> NDArray[np.float32]:
    """A Velodyne scan of a flat road and of points behind the car: (N, 4)."""
    random = np.random.default_rng(seed)
    x = random.uniform(-20, 60, 4000)
    y = random.uniform(-15, 15, 4000)
    return np.stack([x, y, np.full(4000, -1.73), np.zeros(4000)], axis=1).astype(np.float32)


def write_photos(root: Path) -> None:
    """Three photographs of different sizes, one in a folder of its own."""
    (root / "more").mkdir(parents=True)
    for index, (name, size) in enumerate((("a.jpg", (60, 90)), ("b.png", (80, 70)), ("more/c.jpeg", (64, 96)))):
        Image.fromarray(picture(100 + index, size)).save(root / name)


SMALLEST = [
    *("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1"),
    *("--trainer.accelerator", "cpu"),
    *("--model.network.weights", "none"),
    *("--data.size", "[64,96]", "--data.batch_size", "4", "--data.workers", "0"),
]


def tiny_yaml(path: Path, style: bool = False) -> Path:
    """An experiment on the fake data: the smallest legal size, a small backbone."""
    path.write_text(TINY + (TINY_STYLE if style else ""))
    return path


TINY = """
trainer: {max_steps: 4, val_check_interval: 2, log_every_n_steps: 1, accelerator: cpu}
model:
  init_args:
    network: {init_args: {encoder: mobilenetv4_conv_small, weights: none}}
data:
  init_args:
    size: [64, 96]
    batch_size: 4
    workers: 0
    train: [{class_path: datamodules.VirtualKitti, init_args: {root: vkitti}}]
    val:
      - {class_path: datamodules.KittiRaw, init_args: {root: kitti, split: kitti/val.txt, depth: forward_x}}
    test:
      - {class_path: datamodules.KittiRaw, init_args: {root: kitti, split: kitti/test.txt, depth: forward_x}}
"""
TINY_STYLE = """
    style:
      network: {class_path: models.ImageAdaIN}
      images: {class_path: datamodules.Photos, init_args: {root: photos}}
"""
EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fake data, a finished run in ``run/`` and its ``run/depth.onnx``: made once, copied by ``fitted``."""
    folder = tmp_path_factory.mktemp("finished")
    write_vkitti(folder / "data" / "vkitti")
    write_kitti(folder / "data" / "kitti")
    yaml = tiny_yaml(folder / "tiny.yaml")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("POCKETDEPTH_DATA", str(folder / "data"))
        run = folder / "run"
        for call in (
            ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", yaml, "--trainer.default_root_dir", run),
            ("export", run / "checkpoints" / "last.ckpt", "--output", run / "depth.onnx"),
        ):
            with pytest.raises(SystemExit) as stop:
                main([str(part) for part in call])
            assert not stop.value.code
    return folder


@pytest.fixture
def fitted(finished: Path, data_root: Path, tmp_path: Path) -> Path:
    """The folder of a finished run; its YAML is ``tiny.yaml`` in ``tmp_path``."""
    shutil.copy(finished / "tiny.yaml", tmp_path)
    return Path(shutil.copytree(finished / "run", tmp_path / "runs" / "tiny"))


@pytest.fixture
def exported(fitted: Path) -> Path:
    """The ONNX file of a finished run."""
    return fitted / "depth.onnx"
