"""Resuming on the command line: what was given has an effect or is refused, and nothing is lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from tests.conftest import EXPERIMENTS, Cli, Result, tiny_yaml

NETWORK = ("--model.network", "tests.helpers.tiny_network.TinyNetwork")
ONE_CYCLE = ("--model.schedule", "lightning_app.training.OneCycle")


@pytest.fixture
def fit(data_root: Path, tmp_path: Path, cli: Cli) -> Cli:
    """``fit`` in the folder ``run``, on the fake data."""

    def call(*options: object, folder: str = "run") -> Result:
        yamls = ("-c", EXPERIMENTS / "base.yaml", "-c", tiny_yaml(tmp_path / "tiny.yaml"))
        return cli("fit", *yamls, *NETWORK, *options, "--trainer.default_root_dir", tmp_path / folder)

    return call


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """Step, loss and metric of each row of metrics.csv."""
    with (folder / "metrics.csv").open(newline="") as stream:
        return [(row["step"], row["train/loss"], row["val/kitti-eigen/abs_rel"]) for row in csv.DictReader(stream)]


def test_the_metrics_of_a_resumed_run_are_complete(fit: Cli, tmp_path: Path) -> None:
    assert fit("--trainer.max_steps", 8, folder="whole").status == 0
    stop = "--trainer.callbacks+=tests.lightning_app.training.test_fit.StopAt"
    assert fit("--trainer.max_steps", 8, stop, folder="broken").status == 0
    resume = ("--ckpt_path", tmp_path / "broken" / "checkpoints" / "stopped.ckpt", "--trainer.max_steps", 8)
    for folder in ("elsewhere", "broken"):
        result = fit(*resume, folder=folder)
        assert result.status == 0, result.err
        assert rows(tmp_path / folder) == rows(tmp_path / "whole"), folder


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--model.optimizer.lr", 0.5), "--model.optimizer.lr 0.5 has no effect"),
        (("--model.loss", "losses.BerHu"), "--model.loss losses.BerHu has no effect"),
        (("--model.rates", "{stem: 0.1}"), "--model.rates.stem 0.1 has no effect"),
        (ONE_CYCLE, "--model.schedule lightning_app.training.OneCycle has no effect"),
        (("--model.weights", "other.ckpt"), "--model.weights other.ckpt has no effect"),
        (("-c", "mine.yaml"), "--model.optimizer.lr 0.25 has no effect"),
    ],
)
def test_what_has_no_effect_is_refused(
    given: tuple[object, ...], message: str, fit: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("model: {init_args: {optimizer: {init_args: {lr: 0.25}}}}")
    assert fit().status == 0
    before = content(tmp_path / "run")
    result = fit("--ckpt_path", tmp_path / "run" / "checkpoints" / "last.ckpt", "--trainer.max_steps", 6, *given)
    assert result.status == 2
    line = result.err.splitlines()[-1]
    assert message in line
    assert "replace --ckpt_path by --model.weights" in line
    assert content(tmp_path / "run") == before


def test_a_finished_run_says_so_and_stays_as_it_is(fit: Cli, tmp_path: Path) -> None:
    assert fit().status == 0
    before = content(tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    for limit in (("--trainer.max_steps", 4), ("--trainer.max_steps", -1, "--trainer.max_epochs", 1)):
        result = fit("--ckpt_path", last, *limit)
        assert result.status == 0
        assert "this run is finished" in result.out
        assert f"give a larger {limit[-2]}" in result.out
        assert content(tmp_path / "run") == before
    assert fit("--ckpt_path", last, "--trainer.max_steps", 5).status == 0
    assert torch.load(last, weights_only=True)["global_step"] == 5


@pytest.mark.parametrize("longer", [("--trainer.max_steps", 6), ("--trainer.max_steps", -1, "--trainer.max_epochs", 3)])
def test_a_one_cycle_run_is_not_resumed_for_more_steps(longer: tuple[object, ...], fit: Cli, tmp_path: Path) -> None:
    assert fit(*ONE_CYCLE).status == 0
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    result = fit(*ONE_CYCLE, "--ckpt_path", last, *longer)
    assert result.status == 2
    assert "its learning rate schedule ends at step 4, so it cannot be resumed for" in result.err
    assert last.read_bytes() == before
    assert "give a larger" not in fit(*ONE_CYCLE, "--ckpt_path", last).out
