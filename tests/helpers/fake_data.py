"""Fake data sets in the true layouts and encodings."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from datamodules.depth_io import write_kitti_depth, write_millimetres, write_tum_depth, write_vkitti_depth

SIZE = (64, 96)
DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"  # the first of write_kitti


def picture(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A smooth random picture, so that JPEG keeps it."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (4, 6, 3), dtype=np.uint8))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))


@cache
def encoded(seed: int, size: tuple[int, int], suffix: str) -> bytes:
    """The file of a picture, encoded once in a process."""
    stream = io.BytesIO()
    kind = "PNG" if suffix == ".png" else "JPEG"
    Image.fromarray(picture(seed, size)).save(stream, kind, compress_level=1)
    return stream.getvalue()


def write_picture(path: Path, seed: int, size: tuple[int, int]) -> None:
    path.write_bytes(encoded(seed, size, path.suffix))


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
                write_picture(rgb / f"rgb_{frame:05d}.jpg", frame + len(scene + variation), SIZE)
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


def write_kitti(root: Path, sizes: tuple[tuple[int, int], ...] = ((75, 124), (74, 122))) -> None:
    """KITTI raw: two dates with frames of different sizes, three frames each, and the lists val.txt and test.txt."""
    lines = []
    for drive, size in zip((DRIVE, DRIVE.replace("26", "28")), sizes, strict=True):
        date = drive.partition("/")[0]
        images = root / drive / "image_02" / "data"
        scans = root / drive / "velodyne_points" / "data"
        images.mkdir(parents=True)
        scans.mkdir(parents=True)
        center = {"cx": (size[1] - 1) / 2, "cy": (size[0] - 1) / 2}
        (root / date / "calib_cam_to_cam.txt").write_text(CAM_TO_CAM.format(**center))
        (root / date / "calib_velo_to_cam.txt").write_text(VELO_TO_CAM)
        for frame in range(3):
            write_picture(images / f"{frame:010d}.png", frame + size[0], size)
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
        write_picture(root / name, 100 + index, size)


def write_vkitti1(
    root: Path, worlds: tuple[str, ...] = ("0001", "0020"), variations: tuple[str, ...] = ("clone", "15-deg-left")
) -> None:
    """Virtual KITTI 1.3.1: two frames of each world and variation, at its true size."""
    for world in worlds:
        for variation in variations:
            rgb, depth = (root / f"vkitti_1.3.1_{kind}" / world / variation for kind in ("rgb", "depthgt"))
            rgb.mkdir(parents=True)
            depth.mkdir(parents=True)
            for frame in range(2):
                write_picture(rgb / f"{frame:05d}.png", frame, (375, 1242))
                write_vkitti_depth(depth / f"{frame:05d}.png", road((375, 1242), 725.0))


@cache
def annotated_png(frame: int, size: tuple[int, int]) -> bytes:
    """A file of KITTI's annotated depth: a third of the pixels is known."""
    known = np.random.default_rng(frame).random(size) < 0.3
    with TemporaryDirectory() as folder:
        write_kitti_depth(Path(folder) / "0.png", np.where(known, road(size, 70.0).clip(max=85), 0).astype(np.float32))
        return (Path(folder) / "0.png").read_bytes()


def write_annotated(folder: Path, frame: int, size: tuple[int, int]) -> Path:
    """One file of KITTI's annotated depth in a drive's ``proj_depth``."""
    path = folder / "proj_depth" / "groundtruth" / "image_02" / f"{frame:010d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(annotated_png(frame, size))
    return path


def room(seed: int, size: tuple[int, int] = (480, 640)) -> NDArray[np.float32]:
    """Depth of a wall at 2 to 5 m with a hole where the Kinect saw nothing."""
    columns = np.linspace(0, 1, size[1], dtype=np.float32)
    depth = np.broadcast_to(2 + 3 * np.abs(columns - 0.1 * seed), size).copy()
    depth[100:140, 200:260] = 0
    return depth


def write_nyu_labeled(root: Path, frames: int = 5) -> None:
    """NYU Depth v2's .mat files: the last frame is the test split, numbered from 1."""
    root.mkdir(parents=True)
    images = np.stack([picture(frame, (480, 640)).T for frame in range(frames)])
    depths = np.stack([room(frame).T for frame in range(frames)])
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"], file["rawDepths"] = images, depths
        file["depths"] = np.where(depths == 0, 3.0, depths).astype(np.float32)
    numbers = np.arange(1, frames + 1, dtype=np.uint16)[:, None]
    scipy.io.savemat(root / "splits.mat", {"trainNdxs": numbers[:-1], "testNdxs": numbers[-1:]})


def write_nyu_folders(root: Path) -> None:
    """NYU Depth v2 as bts unpacks it, and its list with leading slashes and without a final newline."""
    lines = []
    for scene in ("kitchen_0028b", "study"):
        (root / scene).mkdir(parents=True)
        for frame in (0, 45):
            write_picture(root / scene / f"rgb_{frame:05d}.jpg", frame, (480, 640))
            write_millimetres(root / scene / f"sync_depth_{frame:05d}.png", room(frame % 7))
            lines.append(f"/{scene}/rgb_{frame:05d}.jpg /{scene}/sync_depth_{frame:05d}.png 518.8579")
    (root / "list.txt").write_text("\n".join(lines))


def write_make3d(root: Path, frames: int = 2) -> None:
    """Make3D at its true size: the laser's grid is 10 m in row 17 and 1 m farther in each row below."""
    (root / "Test134").mkdir(parents=True)
    (root / "Gridlaserdata").mkdir()
    for frame in range(frames):
        name = f"math{frame}-p-313t0"
        write_picture(root / "Test134" / f"img-{name}.jpg", frame, (2272, 1704))
        grid = np.zeros((55, 305, 4))
        grid[:, :, 3] = np.arange(-7, 48)[:, None].clip(0) + frame
        scipy.io.savemat(root / "Gridlaserdata" / f"depth_sph_corr-{name}.mat", {"Position3DGrid": grid})


def write_diw(root: Path) -> None:
    """Depth in the Wild: three photographs of different sizes with a pair each."""
    (root / "DIW_test").mkdir(parents=True)
    rows = []
    for index, (size, pair) in enumerate(
        (((60, 90), "60,1,1,90,<"), ((80, 70), "1,1,80,70,>"), ((64, 96), "5,6,7,8,>"))
    ):
        write_picture(root / "DIW_test" / f"{index}.jpg", index, size)
        rows += [f"./DIW_test/{index}.jpg", f"{pair},{size[1]},{size[0]}"]
    (root / "DIW_test.csv").write_text("\n".join(rows))


def write_tum(root: Path) -> None:
    """TUM RGB-D: a sequence whose images and depth maps were taken at slightly different times."""
    sequence = root / "rgbd_dataset_freiburg2_desk"
    (sequence / "rgb").mkdir(parents=True)
    (sequence / "depth").mkdir()
    lists: dict[str, list[str]] = {"rgb": ["# timestamp filename"], "depth": ["# timestamp filename"]}
    for kind, times in (("rgb", (1.000, 1.033, 1.066, 1.500)), ("depth", (1.005, 1.031, 1.075))):
        for index, time in enumerate(times):
            path = f"{kind}/{time:.6f}.png"
            if kind == "rgb":
                write_picture(sequence / path, index, (48, 64))
            else:
                write_tum_depth(sequence / path, np.full((48, 64), 1 + index, np.float32))
            lists[kind].append(f"{time:.6f} {path}")
    for kind, lines in lists.items():
        (sequence / f"{kind}.txt").write_text("\n".join(lines) + "\n")


def write_seven_scenes(root: Path) -> None:
    """7-Scenes: one scene, two sequences of two frames, the second for test; one pixel is invalid."""
    for sequence in ("seq-01", "seq-02"):
        folder = root / "chess" / sequence
        folder.mkdir(parents=True)
        for frame in range(2):
            write_picture(folder / f"frame-{frame:06d}.color.png", frame, (48, 64))
            depth = np.full((48, 64), 1.5, np.float32)
            depth[0, 0] = 99.0  # beyond 16 bits of millimetres: 65535
            write_millimetres(folder / f"frame-{frame:06d}.depth.png", depth)
    (root / "chess" / "TrainSplit.txt").write_text("sequence1\n")
    (root / "chess" / "TestSplit.txt").write_text("sequence2\n")
