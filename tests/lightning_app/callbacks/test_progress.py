from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import EXPERIMENTS, Cli, tiny_yaml


def test_a_long_run_shows_a_table_of_its_epochs(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    tiny, own = tiny_yaml(tmp_path / "tiny.yaml"), tmp_path / "own.yaml"
    own.write_text(
        "trainer: {max_steps: 6, val_check_interval: 3, callbacks: [{class_path: lightning_app.callbacks.Throughput},"
        "{class_path: lightning_app.callbacks.StepProgress, init_args: {every_s: 0}}]}"
    )
    call = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", tiny, "-c", own)
    result = cli(*call, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 0, result.err
    lines = [line for line in result.out.splitlines() if re.match(r" *\d+ +\d+/6 ", line)]
    assert "epoch           step    loss  val abs_rel  images/s   elapsed      left" in result.out
    assert lines[-1].split()[1] == "6/6"
    assert lines[-1].split()[-1] == "0:00:00"
