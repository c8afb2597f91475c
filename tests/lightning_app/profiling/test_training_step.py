"""``pocketdepth profile``, and the memory that a run keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lightning_app.training.malloc import keep_freed_memory
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml


@pytest.mark.slow
def test_a_step_is_timed_and_taken_apart(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    tiny = tiny_yaml(tmp_path / "tiny.yaml", style=True)
    trace = tmp_path / "trace.json"
    call = ("profile", "-c", EXPERIMENTS / "base.yaml", "-c", tiny, "--steps", 6, "--trace", trace)
    result = cli(*call, "--trainer.gradient_clip_val", 1)
    assert result.status == 0, result.err
    assert "4 frames of 64x96, 32-true, on CPU with" in result.out
    assert "medians of 2 blocks of 5 steps" in result.out
    for line in ("Lightning, batches in memory", "bare PyTorch loop, same batches", "loader with 0 workers"):
        assert line in result.out
    assert re.search(r"style transfer only, same batches +\d+\.\d +\d+\.\d", result.out)
    assert re.search(r"style transfer: \d+\.\d% of a step", result.out)
    assert "Lightning relative to the bare loop: " in result.out
    assert "aten::convolution_backward" in result.out
    assert json.loads(trace.read_text())["traceEvents"]
    again = cli(*call)
    assert again.status == 2
    assert "trace.json" in again.err


def test_what_the_bare_loop_does_not_know_is_refused(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    tiny = tiny_yaml(tmp_path / "tiny.yaml")
    call = ("profile", "-c", EXPERIMENTS / "base.yaml", "-c", tiny)
    result = cli(*call, "--trainer.accumulate_grad_batches", 2)
    assert result.status == 2
    assert "profile does not support accumulate_grad_batches" in result.err
    stylizer = ("profile", "-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "adain.yaml")
    assert "profile supports only DepthModule, not StyleModule" in cli(*stylizer).err


def test_options_of_the_step_and_of_the_loader_are_apart(cli: Cli) -> None:
    for options, message in (
        (("-c", "x.yaml", "--size", "64x96"), "--size needs --loader"),
        (("-c", "x.yaml", "--shards", "s"), "--shards needs --loader"),
        (("--loader", "-c", "x.yaml", "--steps", 3), "--steps does not apply to --loader"),
        (
            ("--loader",),
            "name a reader with its arguments (VirtualKitti --root streets), or else give -c YAML",
        ),
    ):
        result = cli("profile", *options)
        assert (result.status, result.err) == (2, f"pocketdepth: error: {message}\n")


def test_memory_is_kept_where_the_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    keep_freed_memory()  # does nothing, and says nothing
