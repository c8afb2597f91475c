"""``pocketdepth data stylize``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import VirtualKitti
from datamodules.style import read_bank
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml


@pytest.fixture
def data(data_root: Path, tmp_path: Path) -> tuple[object, ...]:
    """The options that name an experiment's data."""
    yaml = tiny_yaml(tmp_path / "tiny.yaml", style=True)
    return ("--data", EXPERIMENTS / "base.yaml", "--data", yaml)


def test_a_bank_is_made_and_trained_from(data: tuple[object, ...], data_root: Path, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "bank.npz"
    made = cli("data", "stylize", *data, "--output", path)
    assert made.status == 0, made.err
    assert re.search(r"bank\.npz: 3 styles, \d\.\d kB, for ImageAdaIN", made.out)
    assert read_bank(path).statistics.shape == (3, 2, 3)
    seeded = cli("data", "stylize", *data, "--output", tmp_path / "b.npz", "--seed", 1)
    assert (seeded.status, "--seed does not apply to a style bank" in seeded.err) == (2, True)
    refused = cli("data", "stylize", *data, "--output", path)
    assert refused.status == 2
    assert "exists already" in refused.err
    for image in (data_root / "photos").rglob("*.*"):
        image.unlink()
    fit = ("fit", *("-c" if part == "--data" else part for part in data), "--trainer.max_steps", 2)
    run = cli(*fit, "--data.style.bank", path, "--trainer.default_root_dir", tmp_path / "run")
    assert run.status == 0, run.err


def test_a_bank_of_evaluated_frames_is_refused(
    data: tuple[object, ...], data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    frames = data_root / "kitti" / "2011_09_26" / "2011_09_26_drive_0001_sync" / "image_02"
    (data_root / "photos" / "link.png").symlink_to(next(frames.rglob("*.png")))
    result = cli("data", "stylize", *data, "--output", tmp_path / "other.npz")
    assert result.status == 2
    assert "style images are frames of the evaluation split" in result.err
    assert not (tmp_path / "other.npz").exists()


def test_a_stylised_copy_has_the_same_layout(
    data: tuple[object, ...], data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = cli("data", "stylize", *data, "--output", tmp_path / "copy")
    assert result.status == 0, result.err
    ours, theirs = VirtualKitti("vkitti"), VirtualKitti(str(tmp_path / "copy" / "vkitti"))
    assert [p.relative_to(data_root) for p in ours.paths] == [p.relative_to(tmp_path / "copy") for p in theirs.paths]
    for entry, copy in zip(ours.entries, theirs.entries, strict=True):
        assert entry.depth.read_bytes() == copy.depth.read_bytes()
        assert entry.camera.read_bytes() == copy.camera.read_bytes()
    changed = [(one.image != two.image).any() for one, two in zip(ours, theirs, strict=True)]
    assert np.mean(changed) > 0.5
    again = cli("data", "stylize", *data, "--output", tmp_path / "again")
    assert again.status == 0
    files = [path.relative_to(tmp_path / "copy") for path in (tmp_path / "copy").rglob("*.*") if path.is_file()]
    assert all((tmp_path / "copy" / f).read_bytes() == (tmp_path / "again" / f).read_bytes() for f in files)
    refused = cli("data", "stylize", *data, "--output", tmp_path / "copy")
    assert refused.status == 2
    for lost in (data_root, tmp_path / "copy"):  # what holds the data itself, and what holds something else
        (tmp_path / "copy" / "mine.txt").touch()
        kept = cli("data", "stylize", *data, "--output", lost, "--overwrite")
        assert kept.status == 2
        assert "is not a stylized copy and would be removed" in kept.err
    Image.new("L", (3, 3)).save(ours.paths[-1])
    broken = cli("data", "stylize", *data, "--output", tmp_path / "broken")
    assert broken.status == 1
    assert not (tmp_path / "broken").exists()
    assert not list(tmp_path.glob(".broken*"))


def test_data_without_style_is_refused(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    for output in (tmp_path / "x.npz", tmp_path / "x"):
        result = cli("data", "stylize", "--data", EXPERIMENTS / "base.yaml", "--data", yaml, "--output", output)
        assert result.status == 2
        assert "names no style" in result.err
