"""The stylizer: trained from YAML, opened again, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from lightning_app.evaluation.pictures import HEADER
from lightning_app.training.style_module import load_stylizer
from models import AdaIN
from tests.conftest import EXPERIMENTS, Cli

ADAIN = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "adain.yaml")
SMALL = (
    *("--trainer.max_steps", 3, "--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", 1),
    *("--data.size", "[75,96]", "--data.batch_size", 4, "--data.workers", 0),
    *("--data.train", '[{"class_path": "datamodules.VirtualKitti", "init_args": {"root": "vkitti"}},'
      '{"class_path": "datamodules.Photos", "init_args": {"root": "photos"}}]'),
    *("--data.test", "[]"),
)  # fmt: skip


@pytest.fixture
def stylizer(data_root: Path, tmp_path: Path, cli: Cli) -> Path:
    """The folder of a finished run."""
    result = cli(*ADAIN, *SMALL, "--trainer.default_root_dir", tmp_path / "adain")
    assert result.status == 0, result.err
    return tmp_path / "adain"


def test_a_stylizer_is_trained_and_opened_alone(stylizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Image.open(stylizer / "panels" / "style-000003.png")
    assert panel.size == (5 * 96, HEADER + 2 * 75)
    header = (stylizer / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/content", "train/style", "train/loss"} <= set(header)
    monkeypatch.delenv("POCKETDEPTH_DATA")
    path = stylizer / "checkpoints" / "last.ckpt"
    network = load_stylizer(str(path))
    assert isinstance(network, AdaIN)
    state = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[f"network.{key}"]) for key, value in network.state_dict().items())
    untrained = AdaIN()
    untrained.load_pretrained()
    untrained.trained = True
    assert network.fingerprint() == untrained.fingerprint()  # a bank outlives the decoder's training


@pytest.mark.slow
def test_a_stylizer_that_diverges_stops(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "adain"
    result = cli(*ADAIN, *SMALL, "--model.optimizer.lr", 1e30, "--trainer.default_root_dir", run)
    assert result.status == 1
    assert "pocketdepth: error: step 2: the loss is nan" in result.err.splitlines()[-1]
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in state.values())


@pytest.mark.slow
def test_depth_is_trained_with_a_stylizer(stylizer: Path, tmp_path: Path, cli: Cli) -> None:
    run, depth = tmp_path / "depth", tmp_path / "depth.yaml"
    depth.write_text(DEPTH.format(checkpoint=stylizer / "checkpoints" / "last.ckpt"))
    fit = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", depth, "--trainer.default_root_dir", run)
    result = cli(*fit)
    assert result.status == 0, result.err
    (stylizer / "checkpoints" / "last.ckpt").unlink()  # a network that learned from it is opened without it
    data = ("--data", EXPERIMENTS / "base.yaml", "--data", depth, "--split", "val")
    result = cli("evaluate", run / "checkpoints" / "last.ckpt", *data)
    assert result.status == 0, result.err
    result = cli("export", run / "checkpoints" / "last.ckpt", "--output", tmp_path / "depth.onnx")
    assert result.status == 0, result.err


def test_what_is_no_stylizer_is_refused(stylizer: Path, fitted: Path, tmp_path: Path, cli: Cli) -> None:
    depth, adain = (run / "checkpoints" / "last.ckpt" for run in (fitted, stylizer))
    with pytest.raises(ValueError, match=r"a checkpoint of .*DepthModule, not of .*StyleModule"):
        load_stylizer(str(depth))
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load_stylizer("nowhere.ckpt")
    content = torch.load(adain, weights_only=True)
    content["state_dict"]["network.decoder.0.weight"] = torch.zeros(3, 3)
    torch.save(content, tmp_path / "bent.ckpt")
    with pytest.raises(ValueError, match=r"bent\.ckpt: its weights do not match"):
        load_stylizer(str(tmp_path / "bent.ckpt"))
    result = cli("export", adain)
    assert result.status == 2
    assert "a checkpoint of lightning_app.training.StyleModule, not of" in result.err
    other = cli(*ADAIN, *SMALL, "--model.network.stride", 8, "--ckpt_path", adain)
    assert other.status == 2
    assert "another network: its stride is 4, the configured one is 8" in other.err.splitlines()[-1]


def test_a_stylizer_needs_both_kinds_of_frames(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    photos = '[{"class_path": "datamodules.Photos", "init_args": {"root": "photos"}}]'
    run = ("--trainer.default_root_dir", tmp_path / "run")
    result = cli(*ADAIN, *SMALL, *run, "--data.train", photos, "--data.proportions", "null", "--data.batch_size", 2)
    assert result.status == 2
    assert "needs synthetic and real frames" in result.err.splitlines()[-1]


DEPTH = """
trainer: {{max_steps: 2, val_check_interval: 2, log_every_n_steps: 1, accelerator: cpu}}
model: {{init_args: {{network: {{init_args: {{encoder: mobilenetv4_conv_small, weights: none}}}}}}}}
data:
  init_args:
    size: [64, 96]
    batch_size: 4
    workers: 0
    train: [{{class_path: datamodules.VirtualKitti, init_args: {{root: vkitti}}}}]
    val: [{{class_path: datamodules.KittiRaw, init_args: {{root: kitti, split: kitti/val.txt, depth: forward_x}}}}]
    test: []
    style:
      network: {{class_path: lightning_app.training.load_stylizer, init_args: {{checkpoint: {checkpoint}}}}}
      images: {{class_path: datamodules.Photos, init_args: {{root: photos}}}}
"""
