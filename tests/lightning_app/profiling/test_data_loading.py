"""``pocketdepth profile --loader``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import EXPERIMENTS, Cli, tiny_yaml


def test_a_reader_is_timed_stage_by_stage(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    output = tmp_path / "loader.json"
    call = ("profile", "--loader", "VirtualKitti", "--root", "vkitti", "--size", 64, 96, "--runs", 1)
    result = cli(*call, "--output", output)
    assert result.status == 0, result.err
    assert "64x96, 1 interleaved runs" in " ".join(result.out.split())
    stages = [row["stage"] for row in json.loads(output.read_text())]
    assert stages[:2] == ["floor", "read"]
    assert stages[-1] == "+ photometric noise"
    again = cli(*call, "--output", output)
    assert again.status == 2
    assert "exists already" in again.err


def test_the_training_readers_of_a_yaml_are_timed(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    call = ("profile", "--loader", "-c", EXPERIMENTS / "base.yaml", "-c", yaml, "--runs", 1)
    result = cli(*call)
    assert result.status == 0, result.err
    assert "VirtualKitti" in result.out
    other = cli(*call, "--root", "vkitti")
    assert (other.status, other.err) == (2, "pocketdepth: error: --root vkitti: cannot be combined with -c\n")
