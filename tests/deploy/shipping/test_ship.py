"""From a checkpoint to a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.layer_times import layer_times
from deploy.shipping.limits import Measured, check_limits
from deploy.shipping.pipeline import Pipeline
from deploy.shipping.plan import Limits, read_plan
from deploy.shipping.ship_folder import ShipFolder
from tests.conftest import Cli
from tests.deploy.shipping.conftest import PLAN


def test_rows_of_the_benchmark_are_found_by_variant(tmp_path: Path) -> None:
    """Whatever the paths were when the files were timed."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("images: photos", "images: photos\nreferences: [pydnet]"))
    rows = [
        {"file": "somewhere/files/fp32.onnx", "precision": "fp32"},
        {"file": "somewhere/files/int8.onnx", "precision": "int8"},
        {"file": "pydnet", "precision": "fp32"},
        {"file": "pydnet", "precision": "int8"},
    ]
    (tmp_path / "benchmark").mkdir()
    (tmp_path / "benchmark" / "benchmark.json").write_text(json.dumps({"rows": rows}))
    found = ShipFolder(read_plan(path), tmp_path).rows
    assert found == dict(zip(("fp32", "int8", "pydnet", "pydnet-int8"), rows, strict=True))


def test_limits_are_checked_against_what_was_measured() -> None:
    measured = {
        "fp32": Measured(0.200, 0.7, 10, None, 6.0, 10.0),
        "int8": Measured(0.203, 0.7, 10, 36.0, 2.2, 5.0, {"NNAPI": "skipped"}),
        "resnet18": Measured(None, None, 0, None, 45.0, 80.0),
    }
    limits = Limits(0.01, 33, 2.0, 6.0, {"fp32": 1.4, "resnet18": 20}, ["NNAPI"])
    checks = check_limits({"fp32": Limits(), "int8": limits}, measured, "fp32")
    assert [(check.measured, check.kept) for check in checks] == [
        ("+1.50%", False),
        ("36.0 dB", True),
        ("2.20 MB", False),
        ("5.00 ms", True),
        ("2.00x", True),
        ("16.00x", False),
        ("skipped", False),
    ]
    measured["int8"] = Measured(0.203, 0.7, 9, 36.0, 2.2, 5.0)
    with pytest.raises(RuntimeError, match="int8 was scored on 9 frames, fp32 on 10"):
        check_limits({"int8": limits}, measured, "fp32")


def test_layers_are_timed_in_order(exported: Path) -> None:
    layers = layer_times(exported, runs=3)
    assert {"Conv"} <= {layer.kind for layer in layers}
    assert all(layer.time_ms >= 0 for layer in layers)
    assert layers[-1].output == (1, 1, 32, 48)


@pytest.mark.slow
def test_a_checkpoint_becomes_files_and_a_page(
    fitted: Path, plan: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    result = cli("ship", checkpoint.relative_to(tmp_path), "-c", plan.name, "--runs", 3, "--output", "ship")
    assert result.status == 0, result.err
    page = (tmp_path / "ship" / "report.html").read_text()
    assert "all 3 limits met" in page
    assert "<svg" in page
    assert page.count("data:image/jpeg;base64,") == 3 * 4  # photograph, baseline, int8, its change
    assert not re.search(r'(src|href)="http', page)
    assert {path.name for path in (tmp_path / "ship").glob("report-*")} == {
        "report-pareto.png",
        "report-photographs.png",
    }
    moved = (tmp_path / "elsewhere" / "moved").absolute()
    moved.parent.mkdir()
    (tmp_path / "ship").rename(moved)
    monkeypatch.chdir("/")
    call = ("ship", checkpoint, "-c", plan, "--runs", 3, "--output", moved)
    again = cli(*call)
    assert again.status == 0, again.err
    assert again.out.count(": cached") == 14
    assert ": running" not in again.out
    assert "all 3 limits met" in (moved / "report.html").read_text()
    plan.write_text(plan.read_text().replace("size_mb: 20", "size_mb: 0.1"))
    broken = cli(*call)
    assert broken.status == 1
    assert "1 of 3 limits violated: int8: size" in broken.err
    assert broken.out.count(": cached") == 14
    assert "1 of 3 limits violated" in (moved / "report.html").read_text()


@pytest.mark.slow
def test_a_variant_is_fine_tuned_once_and_anew_where_its_plan_changes(fitted: Path, plan: Path, tmp_path: Path) -> None:
    line = '  pruned: {{prune: 0.7, fine_tune: [--trainer.max_steps, "{0}", --trainer.val_check_interval, "{0}"]}}\n'
    text, checkpoint = plan.read_text(), fitted / "checkpoints" / "last.ckpt"
    before = checkpoint.read_bytes()

    def make(steps: int) -> set[str]:
        plan.write_text(text + line.format(steps))
        Pipeline(checkpoint, ShipFolder(read_plan(plan), tmp_path / "ship"), threads=1, runs=1).build("pruned")
        return set(json.loads((tmp_path / "ship" / "training" / "pruned" / "fit.json").read_text())["results"])

    assert make(2) == {"val step 2 kitti-eigen"}
    assert make(4) == {"val step 4 kitti-eigen"}
    trained = tmp_path / "ship" / "training" / "pruned" / "checkpoints" / "best.ckpt"
    known = trained.stat().st_mtime_ns
    make(4)
    assert trained.stat().st_mtime_ns == known
    assert OnnxNetwork(tmp_path / "ship" / "files" / "pruned.onnx").size == (64, 96)
    assert checkpoint.read_bytes() == before
