"""Real frames of Blender: depth, cameras and poses are right, and the same seed gives the same frames."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datamodules import VirtualKitti
from datamodules.depth_io import read_vkitti_depth
from lightning_app.data_tools.blender_process import PYTHON
from tests.conftest import Cli
from tests.helpers.fake_data import write_photos

ROOT = Path(__file__).parents[3]
Array = NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def blender() -> Iterator[Path]:
    """Blender's Python, of the environment variable or of `make blender`; everything here skips without it."""
    python = Path(os.environ.get(PYTHON, ROOT / ".venv" / "blender" / "bin" / "python"))
    if not python.is_file():
        pytest.skip("no Python with Blender: make blender")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(python))
        yield python


@pytest.fixture(scope="module")
def known(blender: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    """The scene of ``tests/helpers/blender_scene.py``."""
    file = tmp_path_factory.mktemp("blender") / "known.npz"
    script = ROOT / "tests" / "helpers" / "blender_scene.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "lightning_app" / "data_tools")}
    subprocess.run([blender, script, file], check=True, env=environment, stdout=subprocess.DEVNULL)
    return dict(np.load(file))


@pytest.mark.slow
def test_depth_of_planes_and_boxes(known: dict[str, Array]) -> None:
    fx, fy, cx, cy = known["intrinsics"]
    height, width = known["solid"].shape
    v, u = np.mgrid[:height, :width]
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones_like(u)], -1)  # one metre along the camera's axis
    to_world = np.linalg.inv(known["extrinsics"])
    axes = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # y down, z forward -> z up, y forward
    directions, origin = rays @ to_world[:3, :3].T @ axes.T, axes @ to_world[:3, 3]
    assert np.allclose(origin, [0.3, -1.0, 1.6])
    with np.errstate(divide="ignore"):
        ground = -origin[2] / directions[..., 2]
        wall = (known["wall"] - origin[1]) / directions[..., 1]
        size, centre = known["box"]
        sides = ((centre[:, None] + size[:, None] * [-0.5, 0.5]) - origin[:, None]) / directions[..., None]
    x, z = (origin[axis] + wall * directions[..., axis] for axis in (0, 2))
    ground[(ground < 0) | (ground > 450)] = np.inf
    wall[(x < -2) | (x > 6) | (z < 0) | (z > 8)] = np.inf
    near, far = sides.min(-1).max(-1), sides.max(-1).min(-1)
    expected = np.minimum(np.minimum(ground, wall), np.where(near < far, near, np.inf))
    seen = np.isfinite(expected) & (expected < 80)
    assert seen.mean() > 0.5
    wrong = np.abs(known["solid"][seen] - expected[seen]) > 0.005
    assert wrong.mean() < 5e-4  # single pixels exactly on an edge
    assert np.isinf(known["solid"][0]).any()  # the sky


@pytest.mark.slow
def test_points_are_projected_to_half_a_pixel(known: dict[str, Array]) -> None:
    fx, fy, cx, cy = known["intrinsics"]
    light = known["points"].astype(float).mean(-1)
    for x, y, z in known["known"]:
        point = known["extrinsics"] @ [x, -z, y, 1]
        u, v = fx * point[0] / point[2] + cx, fy * point[1] / point[2] + cy
        rows, columns = (slice(round(each) - 4, round(each) + 5) for each in (v, u))
        patch = light[rows, columns]
        j, i = np.mgrid[rows, columns]
        assert patch.sum() > 0.3
        assert np.hypot((patch * i).sum() / patch.sum() - u, (patch * j).sum() / patch.sum() - v) < 0.1


class Shot(NamedTuple):
    """A frame as it was written."""

    image: Array
    depth: Array
    intrinsics: list[float]
    extrinsics: Array


def read(folder: Path, frame: int, camera: int) -> Shot:
    rows = {}
    for name in ("intrinsic", "extrinsic"):
        lines = [line.split() for line in (folder / f"{name}.txt").read_text().splitlines()[1:]]
        rows[name] = next([float(each) for each in row[2:]] for row in lines if row[:2] == [str(frame), str(camera)])
    image = Image.open(folder / "frames" / "rgb" / f"Camera_{camera}" / f"rgb_{frame:05d}.jpg")
    depth = read_vkitti_depth(folder / "frames" / "depth" / f"Camera_{camera}" / f"depth_{frame:05d}.png")
    matrix = np.array(rows["extrinsic"]).reshape(4, 4)
    return Shot(np.asarray(image) / 255, depth.astype(float), rows["intrinsic"], matrix)


def warped(first: Shot, second: Shot) -> tuple[float, float, float]:
    """Second frame seen from the first one, by its depth and both poses, where nothing hides it.

    Returns:
        Median relative difference of depth, mean difference of colour, and that without a warp.
    """
    fx, fy, cx, cy = first.intrinsics
    v, u = np.mgrid[: first.depth.shape[0], : first.depth.shape[1]]
    z = first.depth
    points = np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z, np.ones_like(z)], -1)
    x, y, far, _ = np.moveaxis(points @ (second.extrinsics @ np.linalg.inv(first.extrinsics)).T, -1, 0)
    x, y = (x / far * fx + cx).astype(np.float32), (y / far * fy + cy).astype(np.float32)
    depth, image = (cv2.remap(each.astype(np.float32), x, y, cv2.INTER_LINEAR) for each in (second.depth, second.image))
    inside = (z < 80) & (x > 0) & (x < z.shape[1] - 1) & (y > 0) & (y < z.shape[0] - 1)
    error = np.abs(depth - far) / far
    seen = inside & (error < 0.02)
    assert seen.mean() > 0.3
    colour = np.abs(image - first.image).mean(-1)[seen].mean()
    return float(np.median(error[seen])), float(colour), float(np.abs(second.image - first.image).mean(-1)[seen].mean())


SMALL = ("data", "render", "--size", "96x320", "--without", "effects")


@pytest.mark.slow
def test_frames_are_warped_into_each_other(tmp_path: Path, cli: Cli) -> None:
    look = ("--variations", "clone,overcast,30-deg-left", "--samples", 16, "--frames", 2, "--step", 1, 1, "--stereo")
    result = cli(*SMALL, *look, "--output", tmp_path / "streets", "--scenes", 3)
    assert result.status == 0, result.err
    folders = list((tmp_path / "streets").glob("Scene*/*"))
    assert len(folders) == 3
    for folder in folders:
        left, right, ahead = read(folder, 0, 0), read(folder, 0, 1), read(folder, 1, 0)
        beside = right.extrinsics @ np.linalg.inv(left.extrinsics)
        assert np.allclose(beside, np.array([[1, 0, 0, -0.54], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), atol=1e-6)
        moved = np.linalg.inv(left.extrinsics) - np.linalg.inv(ahead.extrinsics)
        assert 0.8 < np.linalg.norm(moved[:3, 3]) < 1.2
        for other in (right, ahead):
            depth, colour, unwarped = warped(left, other)
            assert depth < 0.002
            assert colour < 0.5 * unwarped


@pytest.mark.slow
def test_the_same_seed_gives_the_same_frames(tmp_path: Path, cli: Cli) -> None:
    made = {}
    for name, workers, seed in (("first", 1, 5), ("second", 2, 5), ("other", 2, 6)):
        call = ("--output", tmp_path / name, "--scenes", 2, "--frames", 1, "--workers", workers, "--seed", seed)
        assert cli(*SMALL, *call).status == 0
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.suffix in (".jpg", ".png", ".txt"))
        made[name] = [path.read_bytes() for path in files if "sheet" not in path.name]
    assert made["first"] == made["second"]
    assert made["first"] != made["other"]


@pytest.mark.slow
def test_photographs_cover_surfaces(tmp_path: Path, cli: Cli) -> None:
    photos = tmp_path / "photos"
    write_photos(photos)
    images = []
    for name, textures in (("plain", ()), ("covered", ("--textures", photos))):
        call = ("--output", tmp_path / name, "--scenes", 1, "--frames", 1, "--variations", "overcast", *textures)
        assert cli(*SMALL, *call).status == 0
        frame = read(tmp_path / name / "Scene01" / "overcast", 0, 0)
        images.append(frame)
    assert VirtualKitti(str(tmp_path / "covered")).licence.commercial is None  # that of the photographs
    assert np.array_equal(images[0].depth, images[1].depth)
    assert np.abs(images[0].image - images[1].image).mean() > 0.01


@pytest.mark.slow
def test_a_camera_that_sees_nothing(tmp_path: Path, cli: Cli) -> None:
    result = cli(*SMALL, "--output", tmp_path / "streets", "--scenes", 1, "--height", 20, 20, "--pitch", -80, -75)
    assert result.status == 1
    assert "scene 1: the camera sees nothing, or stands in an object, in 25 streets" in result.err
    assert not list((tmp_path / "streets").glob("*Scene*"))
