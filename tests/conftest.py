"""Fake data, a finished run on it, and the command line as users call it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import wandb

from lightning_app.cli.main import main
from tests.helpers.fake_data import write_kitti, write_photos, write_vkitti

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
