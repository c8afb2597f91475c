"""Training from YAML, end to end."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
import yaml
from PIL import Image
from pytorch_lightning import Callback, Trainer

from lightning_app.evaluation.pictures import HEADER
from lightning_app.training.depth_module import DepthModule
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

BASE = EXPERIMENTS / "base.yaml"


def weights(checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)["state_dict"]
    return state


def test_run_leaves_everything_below_its_folder(fitted: Path) -> None:
    config = yaml.safe_load((fitted / "config.yaml").read_text())
    assert config["model"]["init_args"]["network"]["init_args"]["encoder"] == "mobilenetv4_conv_small"
    with (fitted / "metrics.csv").open() as stream:
        columns = set(next(csv.reader(stream)))
    expected = {"train/loss", "train/silog", "train/images_per_second", "val/kitti-eigen/abs_rel", "lr-AdamW"}
    assert expected <= columns
    results = json.loads((fitted / "fit.json").read_text())["results"]
    assert list(results) == ["val step 2 kitti-eigen", "val step 4 kitti-eigen"]
    assert results["val step 4 kitti-eigen"]["frames"] == 3
    panel = Image.open(fitted / "panels" / "val-000004.png")
    assert panel.size == (4 * 96, HEADER + 3 * 64)
    assert {path.name for path in (fitted / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert list(fitted.glob("events.out.tfevents.*"))


def test_checkpoint_carries_its_yaml_and_opens_alone(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCKETDEPTH_DATA")
    path = fitted / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    assert yaml.safe_load(content["config"])["data"]["init_args"]["size"] == [64, 96]
    module = DepthModule.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    assert all(torch.equal(value, content["state_dict"][key]) for key, value in module.state_dict().items())


def test_the_yaml_of_a_run_starts_another_one_that_leaves_it_alone(fitted: Path, tmp_path: Path, cli: Cli) -> None:
    checkpoint = fitted / "checkpoints" / "best.ckpt"
    before = checkpoint.read_bytes()
    again = tmp_path / "again"
    result = cli("fit", "-c", fitted / "config.yaml", "--trainer.default_root_dir", again)
    assert result.status == 0, result.err
    assert checkpoint.read_bytes() == before
    assert (again / "checkpoints" / "best.ckpt").is_file()
    assert (again / "metrics.csv").is_file()
    assert str(again) not in (again / "config.yaml").read_text()


def test_validate_and_test_print_protocol_and_counts(fitted: Path, tmp_path: Path, cli: Cli) -> None:
    for verb, split in (("validate", "val"), ("test", "test")):
        run = tmp_path / verb
        result = cli(
            *(verb, "-c", BASE, "-c", fitted.parents[1] / "tiny.yaml"),
            *("--ckpt_path", fitted / "checkpoints" / "last.ckpt", "--trainer.default_root_dir", run),
        )
        assert result.status == 0, result.err
        assert f"{split} kitti-eigen" in result.out
        assert "missing" in result.out
        results = json.loads((run / f"{verb}.json").read_text())["results"]
        assert results[f"{split} kitti-eigen"]["frames"] == 3
        assert not (run / "checkpoints").exists()


def test_random_weights_are_not_scored(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("test", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"))
    assert result.status == 2
    assert "test needs --ckpt_path" in result.err


@pytest.mark.slow
def test_resumed_run_ends_where_an_unbroken_one_does(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    path = tiny_yaml(tmp_path / "tiny.yaml", style=True)
    # Three batches an epoch: the break at step 4 falls inside the second one.
    call = ("fit", "-c", BASE, "-c", path, "--trainer.max_steps", 8)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert cli(*call, "--trainer.default_root_dir", whole).status == 0
    stopped = cli(
        *call, "--trainer.default_root_dir", broken, "--trainer.callbacks+=tests.lightning_app.training.test_fit.StopAt"
    )
    assert stopped.status == 0, stopped.err
    resumed = cli(*call, "--trainer.default_root_dir", broken, "--ckpt_path", broken / "checkpoints" / "stopped.ckpt")
    assert resumed.status == 0, resumed.err
    steps = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] for run in (whole, broken)]
    assert steps == [8, 8]
    one, two = weights(whole / "checkpoints" / "last.ckpt"), weights(broken / "checkpoints" / "last.ckpt")
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_occupied_run_folder_is_refused(fitted: Path, cli: Cli) -> None:
    path = fitted.parents[1] / "tiny.yaml"
    result = cli("fit", "-c", BASE, "-c", path, "--trainer.default_root_dir", fitted)
    assert result.status == 2
    assert "holds a run already" in result.err


def test_run_folder_is_named_after_the_yaml(
    data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tiny_yaml(tmp_path / "tiny.yaml")
    for _ in range(2):
        assert (
            cli("fit", "-c", BASE, "-c", path, "--trainer.max_steps", 1, "--trainer.limit_val_batches", 0).status == 0
        )
    assert len(list((tmp_path / "runs" / "tiny").iterdir())) == 2
    assert sorted(item.name for item in tmp_path.iterdir()) == ["data", "runs", "tiny.yaml"]


def test_weights_start_a_run_and_another_network_is_refused(fitted: Path, tmp_path: Path, cli: Cli) -> None:
    path, checkpoint = fitted.parents[1] / "tiny.yaml", fitted / "checkpoints" / "last.ckpt"
    call = (
        "fit",
        "-c",
        BASE,
        "-c",
        path,
        "--model.weights",
        checkpoint,
        "--model.optimizer.lr",
        0,
        "--trainer.max_steps",
        1,
    )
    assert cli(*call, "--trainer.default_root_dir", tmp_path / "tuned").status == 0
    before, after = weights(checkpoint), weights(tmp_path / "tuned" / "checkpoints" / "last.ckpt")
    parameters = [key for key in before if key.endswith("weight")]
    assert all(torch.equal(before[key], after[key]) for key in parameters)
    other = cli(*call, "--model.network.encoder", "resnet18", "--trainer.default_root_dir", tmp_path / "other")
    assert other.status == 2
    assert "a checkpoint of another network: " in other.err.splitlines()[-1]
    last = tmp_path / "tuned" / "checkpoints" / "last.ckpt"
    checkpoint.unlink()  # what a run started from is not needed to resume it
    same = ("--model.optimizer.lr", 0, "--ckpt_path", last)
    resumed = cli("fit", "-c", BASE, "-c", path, "--trainer.default_root_dir", tmp_path / "on", *same)
    assert resumed.status == 0, resumed.err


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_checkpoint_of_another_network_is_refused(verb: str, fitted: Path, tmp_path: Path, cli: Cli) -> None:
    call = (verb, "-c", BASE, "-c", tmp_path / "tiny.yaml", "--ckpt_path", fitted / "checkpoints" / "last.ckpt")
    other = cli(*call, "--model.network.encoder", "resnet18")
    assert other.status == 2
    assert (
        "another network: its encoder is mobilenetv4_conv_small, the configured one is resnet18"
        in other.err.splitlines()[-1]
    )
    (tmp_path / "x.ckpt").write_bytes(b"nothing")
    for path, message in (("nowhere.ckpt", "no such checkpoint"), (tmp_path / "x.ckpt", "not a checkpoint of Pocket")):
        result = cli(*call[:-1], path)
        assert result.status == 2
        assert message in result.err.splitlines()[-1]


def test_refused_logger_is_one_line(data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_app.callbacks.loggers._answers", lambda url: True)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    run = ("--trainer.default_root_dir", tmp_path / "run")
    result = cli("fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"), "-c", EXPERIMENTS / "wandb.yaml", *run)
    assert result.status == 1
    wandb.teardown()  # it would stay online for the tests that follow
    assert "pocketdepth: error: Weights & Biases: " in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "run").exists()


def test_wandb_offline_run_logs_panels(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    path = tiny_yaml(tmp_path / "tiny.yaml")
    run = tmp_path / "run"
    result = cli(
        *("fit", "-c", BASE, "-c", path, "-c", EXPERIMENTS / "wandb.yaml"),
        *("--trainer.max_steps", 2, "--trainer.default_root_dir", run),
    )
    assert result.status == 0, result.err
    assert list(run.glob("wandb/offline-run-*/files/media/images/val/panels_*.png"))


class StopAt(Callback):
    """Stops a run after its fourth step, inside an epoch, as a cut machine would."""

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step == 4:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "stopped.ckpt")
            trainer.should_stop = True


def test_the_best_checkpoint_is_the_best_under_the_first_protocol(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml, run = tiny_yaml(tmp_path / "tiny.yaml"), tmp_path / "run"
    fit = ("fit", "-c", BASE, "-c", yaml, "--trainer.default_root_dir", run)
    result = cli(*fit, "--data.protocol", "[kitti-paper,kitti-eigen]")
    assert result.status == 0, result.err
    assert "monitor: val/kitti-paper/abs_rel" in (run / "config.yaml").read_text()
    assert (run / "checkpoints" / "best.ckpt").is_file()
