"""Evaluation gives the same numbers from one process and from two, for any batch size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import EXPERIMENTS
from tests.helpers.fake_data import scan


@pytest.mark.slow
def test_numbers_do_not_depend_on_processes_or_batches(fitted: Path, tmp_path: Path) -> None:
    """Five frames of two sizes, one with few known pixels and one with none: neither ranks nor batches are even."""
    kitti = tmp_path / "data" / "kitti"
    lines = [line for name in ("val", "test") for line in (kitti / f"{name}.txt").read_text().splitlines()]
    (kitti / "test.txt").write_text("\n".join(lines[:5]))
    scans = sorted(kitti.rglob("*.bin"))
    scan(0)[::40].tofile(scans[0])
    (scan(0) * [-1, 1, 1, 1]).astype(np.float32)[scan(0)[:, 0] > 0].tofile(scans[1])
    results = {}
    for processes, batch in ((1, 1), (1, 3), (2, 1), (2, 3)):
        run = tmp_path / f"run-{processes}-{batch}"
        command = [sys.executable, "-m", "lightning_app", "test"]
        command += ["-c", str(EXPERIMENTS / "base.yaml"), "-c", str(tmp_path / "tiny.yaml")]
        command += ["--ckpt_path", str(fitted / "checkpoints" / "last.ckpt"), "--data.batch_size", str(batch)]
        command += ["--trainer.devices", str(processes), "--trainer.default_root_dir", str(run)]
        command += ["--trainer.strategy", "ddp" if processes > 1 else "auto"]
        command += ["--data.protocol", "[kitti-eigen,kitti-paper]"]
        # With one thread convolutions round alike in batches of any size.
        alone = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        results[processes, batch] = json.loads((run / "test.json").read_text())["results"]
    for protocol, expected in results[1, 1].items():
        assert (expected["frames"], expected["missing"]) == (4, 1), protocol
        for result in results.values():
            assert result[protocol] == pytest.approx(expected, rel=1e-6, nan_ok=True), protocol
