"""Pruning in steps, with fine-tuning after each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.conftest import EXPERIMENTS, Cli

BASE = EXPERIMENTS / "base.yaml"


@pytest.mark.slow
def test_steps_fine_tune_and_go_on(fitted: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, output = fitted / "checkpoints" / "best.ckpt", tmp_path / "n.ckpt"
    call = ("prune", checkpoint, "--macs", "0.7", "-c", BASE, "-c", fitted.parents[1] / "tiny.yaml", "--output", output)
    refused = cli(*call, "--trainer.max_stepps", "2")
    assert refused.status == 2
    assert "max_stepps" in refused.err
    assert not (tmp_path / "n").exists()
    result = cli(*call, "--trainer.max_steps", "2")
    assert result.status == 0, result.err
    run = tmp_path / "n" / "1" / "run"
    assert output.read_bytes() == (run / "checkpoints" / "best.ckpt").read_bytes()
    content = torch.load(output, weights_only=True)
    assert content["hyper_parameters"]["network"]["class_path"] == "models.with_pruned_channels"
    assert content["hyper_parameters"]["weights"] == str(tmp_path / "n" / "1" / "pruned.ckpt")
    assert content["global_step"] == 2
    report = json.loads((tmp_path / "n" / "1" / "pruned.json").read_text())
    assert report["macs_share"] <= 0.7
    time = (run / "fit.json").stat().st_mtime_ns
    output.unlink()
    (tmp_path / "moved").mkdir()
    (tmp_path / "n").rename(tmp_path / "moved" / "n")
    monkeypatch.chdir(tmp_path)
    moved = (*("--macs", "0.7", "-c", BASE, "-c", "tiny.yaml"), "--output", "moved/n.ckpt")
    relative = ("prune", checkpoint.relative_to(tmp_path), *moved)
    again = cli(*relative, "--trainer.max_steps", "2")
    assert again.status == 0, again.err
    assert again.out.count(": cached") == 2
    assert Path("moved/n.ckpt").is_file()
    assert Path("moved/n/1/run/fit.json").stat().st_mtime_ns == time
    Path("moved/n/1/run/fit.json").unlink()  # fine-tuning that was interrupted before the folder was moved
    finished, best = Path("moved/n/steps.json"), Path("moved/n/1/run/checkpoints/best.ckpt")
    finished.write_text(json.dumps({k: v for k, v in json.loads(finished.read_text()).items() if "prune" in k}))
    time = best.stat().st_mtime_ns
    resumed = cli(*relative, "--overwrite", "--trainer.max_steps", "2")
    assert resumed.status == 0, resumed.err
    assert "step 1 of 1: fine-tune: running" in resumed.out
    assert best.stat().st_mtime_ns == time  # not trained from the start
    other = cli(*relative, "--overwrite", "--trainer.max_steps", "3")
    assert other.status == 2
    assert "n was made with other settings (arguments" in other.err
