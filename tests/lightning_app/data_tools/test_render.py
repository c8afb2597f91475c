"""`pocketdepth data render` with a stand-in for Blender: what is written, resumed, refused, and left by a failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import VirtualKitti
from tests.conftest import Cli

FAKE = Path(__file__).parents[2] / "helpers" / "fake_blender.py"
SMALL = ("--frames", 2, "--size", "48x64")


@pytest.fixture
def blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that has the stand-in for Blender."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("POCKETDEPTH_BLENDER_PYTHON", str(python))
    return python


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("blender")
def test_frames_are_read_like_virtual_kitti(tmp_path: Path, cli: Cli) -> None:
    output = tmp_path / "streets"
    call = ("data", "render", "--output", output, "--scenes", 2, *SMALL, "--stereo", "--variations", "clone,fog")
    result = cli(*call, "--per-scene", 2)
    assert result.status == 0, result.err
    assert "2 scenes -> " in result.out
    assert np.asarray(Image.open(output / "contact_sheet.png")).std() > 10
    reader = VirtualKitti(str(output), cameras=[0, 1], beyond="clamp")
    assert len(reader) == 2 * 2 * 2 * 2
    frame = reader[0]
    assert frame.image.shape == (48, 64, 3)
    assert frame.depth[0, 0] == 80  # the sky
    assert np.allclose(frame.depth[16:], np.linspace(70, 2, 48)[16:, None], atol=0.005)
    assert np.allclose(frame.intrinsics, np.array([[37.12, 0, 31.5], [0, 37.12, 23.5], [0, 0, 1]]))
    depth = Image.open(output / "Scene01" / "fog" / "frames" / "depth" / "Camera_1" / "depth_00001.png")
    assert np.asarray(depth)[0, 0] == 65535
    lines = (output / "Scene02" / "clone" / "extrinsic.txt").read_text().splitlines()
    assert lines[0] == "frame cameraID r1,1 r1,2 r1,3 t1 r2,1 r2,2 r2,3 t2 r3,1 r3,2 r3,3 t3 0 0 0 1"
    assert lines[1:] == [f"{frame} {camera} 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1" for frame in (0, 1) for camera in (0, 1)]
    assert reader.licence == ("streets rendered by PocketDepth", "free for any use", True)
    assert cli("data", "check", "VirtualKitti", "--root", output, "--output", tmp_path / "check").status == 0


@pytest.mark.usefixtures("blender")
def test_scenes_are_kept_added_and_the_same_on_any_number_of_processes(tmp_path: Path, cli: Cli) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert cli("data", "render", "--output", first, "--scenes", 2, *SMALL, "--workers", 1).status == 0
    kept = contents(first)
    for lost in ("intrinsic.txt", "extrinsic.txt", "rgb_00001.jpg", "depth_00000.png"):
        next((first / "Scene01").rglob(lost)).unlink()
        assert cli("data", "render", "--output", first, "--scenes", 2, *SMALL, "--workers", 1).status == 0
        assert contents(first) == kept, lost
    (first / ".Scene03.123").mkdir()  # of a process that was killed
    next((first / "Scene02").rglob("*.jpg")).unlink()
    result = cli("data", "render", "--output", first, "--scenes", 5, *SMALL, "--workers", 3)
    assert result.status == 0, result.err
    assert "8 frames in " in result.out
    assert "per minute; 1 were there already)" in result.out
    now = contents(first)
    assert not (first / ".Scene03.123").exists()
    assert {name: now[name] for name in kept if "sheet" not in name} == {
        n: c for n, c in kept.items() if "sheet" not in n
    }
    for part in ("2/2", "1/2"):
        assert cli("data", "render", "--output", second, "--scenes", 5, *SMALL, "--shard", part).status == 0
    assert contents(second) == now
    scene = second / "Scene02"
    before = scene.stat().st_mtime_ns, (second / "Scene01").stat().st_mtime_ns  # inodes are reused
    assert cli("data", "render", "--output", second, "--scenes", 5, *SMALL, "--shard", "2/2", "--overwrite").status == 0
    assert scene.stat().st_mtime_ns != before[0]
    assert (second / "Scene01").stat().st_mtime_ns == before[1]
    assert contents(second) == now
    result = cli("data", "render", "--output", first, "--scenes", 5, "--frames", 3, "--size", "48x64", "--seed", 1)
    assert result.status == 2
    assert "made with other settings (seed 0, not 1, frames 2, not 3)" in result.err
    assert contents(first) == now


def test_a_scene_is_never_half_there(blender: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "streets"
    call = ("data", "render", "--output", output, "--scenes", 3, *SMALL, "--workers", 1)
    monkeypatch.setenv("FAKE_BLENDER", "dies")
    result = cli(*call)
    assert result.status == 1
    assert result.err.strip().endswith("error: scene 2: Blender ended: Segmentation fault")
    assert sorted(path.name for path in output.iterdir()) == ["Scene01", "settings.json"]
    monkeypatch.setenv("FAKE_BLENDER", "sees nothing")
    result = cli(*call)
    assert (result.status, "scene 2: the camera sees nothing" in result.err) == (1, True)
    assert sorted(path.name for path in output.iterdir()) == ["Scene01", "settings.json"]
    monkeypatch.delenv("FAKE_BLENDER")
    assert cli(*call).status == 0
    assert sorted(path.name for path in output.glob("Scene*")) == ["Scene01", "Scene02", "Scene03"]


@pytest.mark.usefixtures("blender")
def test_nothing_goes_on_after_a_kill(tmp_path: Path) -> None:
    output = tmp_path / "streets"
    command = (
        sys.executable,
        "-m",
        "lightning_app",
        "data",
        "render",
        "--output",
        output,
        "--scenes",
        5000,
        "--frames",
        9,
    )
    process = subprocess.Popen([str(each) for each in (*command, "--size", "48x64")], stderr=subprocess.DEVNULL)
    while not (output / "Scene03").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait() == 143
    left = list(output.iterdir())
    assert not [path for path in left if path.name.startswith(".")]
    assert all(len(list(path.rglob("*.png"))) == 9 for path in left if path.name.startswith("Scene"))


@pytest.mark.usefixtures("blender")
def test_settings_of_the_shipped_yaml(tmp_path: Path, cli: Cli) -> None:
    output = tmp_path / "streets"
    result = cli("data", "render", "-c", "streets.yaml", "--output", output, "--scenes", 1)
    assert result.status == 0, result.err
    assert len(VirtualKitti(str(output))) == 4
    assert json.loads((output / "settings.json").read_text())["seed"] == 1


@pytest.mark.usefixtures("blender")
def test_options_of_a_yaml(tmp_path: Path, cli: Cli) -> None:
    yaml, output = tmp_path / "render.yaml", tmp_path / "streets"
    yaml.write_text(
        "scenes: 1\nper-scene: 1\nframes: 3\nsize: [48, 64]\nfocal: [0.5, 0.6]\nvariations: [rain]\nstereo: true\n"
    )
    assert cli("data", "render", "-c", yaml, "--output", output, "--frames", 1).status == 0  # the command line wins
    assert sorted(path.name for path in output.rglob("*.jpg")) == ["rgb_00000.jpg"] * 2
    settings = json.loads((output / "settings.json").read_text())
    assert (settings["focal"], settings["variations"], settings["stereo"]) == ([0.5, 0.6], ["rain"], True)
    for text, message in (
        ("frame: 3", "render.yaml: no option 'frame'; did you mean frames?"),
        ("- 3", "not a mapping"),
        ("frames: many", "render.yaml: frames: 'many' is not valid for --frames"),
        ("focal: 0.5", "render.yaml: focal: 0.5 is not two numbers, e.g. [1.4, 1.9]"),
    ):
        yaml.write_text(text)
        result = cli("data", "render", "-c", yaml, "--output", tmp_path / "other")
        assert result.status == 2, text
        assert message in result.err
        assert len(result.err.splitlines()) == 1, result.err
    assert not (tmp_path / "other").exists()


@pytest.mark.usefixtures("blender")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "8x640"), "size 8x640: a side has at least 32 pixels"),
        (("--size", "0x640"), "is not HEIGHTxWIDTH"),
        (("--focal", 0.6, 0.5), "focal 0.6 0.5 is not an ascending range within 0.1 to 10"),
        (("--height", -1, 2), "height -1 2 is not an ascending range"),
        (("--pitch", 0, 90), "pitch 0 90 is not an ascending range within -80 to 80"),
        (("--step", "nan", 1), "step nan 1 is not an ascending range"),
        (("--frames", 100), "100 frames with steps of up to 2 m: a street is 120 m long; use more scenes"),
        (("--variations", "clone,snow"), "no variation 'snow'; there are clone, morning"),
        (("--variations", "clone,clone"), "variation 'clone' is given twice"),
        (("--variations", "clone", "--per-scene", 2), "per_scene 2: there are 1 variations to draw from"),
        (("--without", "vegitation"), "no kind of variety 'vegitation'; did you mean vegetation?"),
        (("--textures", "nowhere"), "nowhere: no such image or folder"),
        (("--textures", "."), "no image"),
        (("--shard", "3/2"), "shard '3/2' must be PART/PARTS"),
        (("--shard", "4/5", "--scenes", 3), "--shard 4/5: no scene is left for it with --scenes 3"),
        (("--scenes", 0), "'--scenes'"),
        (("--workers", 0), "'--workers'"),
        (("--gpu",), "Blender finds no GPU"),
    ],
)
def test_wrong_use(
    arguments: tuple[object, ...], message: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("data", "render", "--output", "streets", *arguments)
    assert result.status == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1, result.err
    assert not Path("streets").exists()


def test_no_blender(blender: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ("data", "render", "--output", tmp_path / "streets", *SMALL)
    monkeypatch.setenv("FAKE_BLENDER", "no bpy")
    result = cli(*call)
    assert result.status == 2
    assert f"{blender} cannot import Blender" in result.err
    assert "No module named 'bpy'" in result.err
    assert "pip install 'bpy>=4.5,<4.6'" in result.err
    blender.write_text("not a program")
    assert f"{blender}: Exec format error" in cli(*call).err
    monkeypatch.delenv("POCKETDEPTH_BLENDER_PYTHON")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    result = cli(*call)
    assert result.status == 2
    assert "no Python with Blender; run `make blender`" in result.err
    assert not (tmp_path / "streets").exists()


@pytest.mark.usefixtures("blender")
def test_no_space(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    result = cli("data", "render", "--output", tmp_path / "streets", "--scenes", 1000)
    assert result.status == 1
    assert "6000 frames need about 1.8 GB, and 0.0 GB are free" in result.err
    assert not list((tmp_path / "streets").glob("Scene*"))


@pytest.mark.usefixtures("blender")
def test_other_files_are_left_alone(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "streets").mkdir()
    (tmp_path / "streets" / "notes.txt").write_text("mine")
    result = cli("data", "render", "--output", tmp_path / "streets", "--scenes", 1, *SMALL, "--overwrite")
    assert result.status == 2
    assert (tmp_path / "streets" / "notes.txt").read_text() == "mine"
    if os.geteuid():  # root may write anywhere
        (tmp_path / "streets").chmod(0o555)
        assert cli("data", "render", "--output", tmp_path / "streets" / "new", *SMALL).status == 1
