"""Resuming on the command line: what was given has an effect or is refused, and nothing is lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

NETWORK = ("--model.network", "tests.helpers.tiny_network.TinyNetwork")
ONE_CYCLE = ("--model.schedule", "lightning_app.training.OneCycle")


def arguments(run: Path, *options: object) -> tuple[object, ...]:
    """Arguments of ``fit`` in a folder, with the YAMLs of the fixture ``fitted``."""
    yamls = ("-c", EXPERIMENTS / "base.yaml", "-c", tiny_yaml(run.parent / "tiny.yaml"))
    return ("fit", *yamls, *options, "--trainer.default_root_dir", run)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """Step, loss and metric of each row of metrics.csv."""
    with (folder / "metrics.csv").open(newline="") as stream:
        return [(row["step"], row["train/loss"], row["val/kitti-eigen/abs_rel"]) for row in csv.DictReader(stream)]


@pytest.mark.parametrize("folder", ["broken", pytest.param("elsewhere", marks=pytest.mark.slow)])
def test_the_metrics_of_a_resumed_run_are_complete(folder: str, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    options = (*NETWORK, "--trainer.max_steps", 6)
    assert cli(*arguments(tmp_path / "whole", *options)).status == 0
    stop = "--trainer.callbacks+=tests.lightning_app.training.test_fit.StopAt"
    assert cli(*arguments(tmp_path / "broken", *options, stop)).status == 0
    stopped = tmp_path / "broken" / "checkpoints" / "stopped.ckpt"
    result = cli(*arguments(tmp_path / folder, *options, "--ckpt_path", stopped))
    assert result.status == 0, result.err
    assert rows(tmp_path / folder) == rows(tmp_path / "whole")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--model.optimizer.lr", 0.5), "--model.optimizer.lr 0.5 has no effect"),
        (("--model.loss", "losses.BerHu"), "--model.loss losses.BerHu has no effect"),
        (("--model.rates", "{encoder: 0.1}"), "--model.rates.encoder 0.1 has no effect"),
        (ONE_CYCLE, "--model.schedule lightning_app.training.OneCycle has no effect"),
        (("--model.weights", "other.ckpt"), "--model.weights other.ckpt has no effect"),
        (("-c", "mine.yaml"), "--model.optimizer.lr 0.25 has no effect"),
    ],
)
def test_what_has_no_effect_is_refused(
    given: tuple[object, ...], message: str, fitted: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fitted.parent)
    Path("other.ckpt").touch()
    Path("mine.yaml").write_text("model: {init_args: {optimizer: {init_args: {lr: 0.25}}}}")
    before = content(fitted)
    result = cli(*arguments(fitted, "--ckpt_path", fitted / "checkpoints" / "last.ckpt", *given))
    assert result.status == 2
    line = result.err.splitlines()[-1]
    assert message in line
    assert "replace --ckpt_path by --model.weights" in line
    assert content(fitted) == before


def test_a_finished_run_says_so_and_stays_as_it_is(fitted: Path, cli: Cli) -> None:
    before, last = content(fitted), fitted / "checkpoints" / "last.ckpt"
    for limit in (("--trainer.max_steps", 4), ("--trainer.max_steps", -1, "--trainer.max_epochs", 1)):
        result = cli(*arguments(fitted, "--ckpt_path", last, *limit))
        assert result.status == 0
        assert "this run is finished" in result.out
        assert f"give a larger {limit[-2]}" in result.out
        assert content(fitted) == before
    assert cli(*arguments(fitted, "--ckpt_path", last, "--trainer.max_steps", 5)).status == 0
    assert torch.load(last, weights_only=True)["global_step"] == 5


def test_a_one_cycle_run_is_not_resumed_for_more_steps(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    assert cli(*arguments(run, *NETWORK, *ONE_CYCLE, "--trainer.max_steps", 2)).status == 0
    last = run / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    for longer in (("--trainer.max_steps", 6), ("--trainer.max_steps", -1, "--trainer.max_epochs", 3)):
        result = cli(*arguments(run, *NETWORK, *ONE_CYCLE, "--ckpt_path", last, *longer))
        assert result.status == 2
        assert "its learning rate schedule ends at step 2, so it cannot be resumed for" in result.err
        assert last.read_bytes() == before
    finished = cli(*arguments(run, *NETWORK, *ONE_CYCLE, "--ckpt_path", last, "--trainer.max_steps", 2))
    assert "this run is finished" in finished.out
    assert "give a larger" not in finished.out
