"""Latency budgets of devices against what was measured there."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.devices.budget_check import check_budgets
from deploy.devices.targets import Device, Measured, read_targets
from tests.conftest import Cli

REFERENCE = {
    "network": "pydnet",
    "size": [384, 640],
    "precision": "fp16",
    "latency_ms": 17,
    "source": "a paper",
    "checked": True,
}
DEVICE = {"name": "A phone", "budget_ms": 33.3, "reason": "30 frames a second", "references": [REFERENCE]}
RESULT = {"device": "phone", "file": "m.tflite", "runtime": "CoreML", "runs": 50, "p50_ms": 20.0, "date": "2026-01-31"}


def write_targets(path: Path, **changes: Any) -> Path:
    """One phone with one reference; ``changes`` are the reference's."""
    reference = {key: value for key, value in (REFERENCE | changes).items() if value is not None}
    path.write_text(yaml.safe_dump({"devices": {"phone": DEVICE | {"references": [reference]}}}))
    return path


def write_measured(path: Path, *results: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"results": results}))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that is hashed and never opened."""
    (tmp_path / "m.tflite").write_bytes(b"weights")
    return tmp_path / "m.tflite"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency_s": 0.017}, "unknown key latency_s; expected latency_ms: a positive number of milliseconds"),
        ({"latency": 17}, "unknown key latency; expected latency_ms"),
        ({"latency_ms": "17 ms"}, "latency_ms is '17 ms'; expected a positive number of milliseconds, without a unit"),
        ({"latency_ms": -17}, "latency_ms is -17; expected"),
        ({"latency_ms": float("nan")}, "latency_ms is nan; expected"),
        ({"latency_ms": True}, "latency_ms is True; expected"),
        ({"latency_ms": None}, "latency_ms is missing; expected"),
        ({"size": "384x640"}, "size is '384x640'; expected [height, width], two positive integers"),
        ({"size": [384, 640.0]}, "size is [384, 640.0]; expected"),
        ({"precision": "w8a8"}, "precision is 'w8a8'; expected fp32, fp16 or int8"),
    ],
)
def test_wrong_targets_are_refused_in_one_line(
    changes: dict[str, Any], message: str, model: Path, tmp_path: Path, cli: Cli
) -> None:
    path = write_targets(tmp_path / "t.yaml", **changes)
    result = cli("targets", model, "--targets", path)
    assert result.status == 2
    assert f"{path}: device phone, reference pydnet: {message}" in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("devices: {phone: [", "not YAML"),
        ("phone: {}", "no mapping `devices` from keys to devices"),
        ("devices: {phone: 33}", "device phone: 33 is not a mapping with the keys name, budget_ms"),
        ("devices: {phone: {name: A, budget: 33}}", "device phone: unknown key budget; expected budget_ms"),
        (
            "devices: {phone: {name: A, budget_ms: 33, reason: b, references: [17]}}",
            "reference 17: 17 is not a mapping",
        ),
    ],
)
def test_targets_that_are_none(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"yaml:(1:)? ") as error:
        read_targets(tmp_path / "t.yaml")
    assert message in str(error.value)


def test_shipped_targets_can_be_read() -> None:
    devices = read_targets()
    assert {"iphone_xs_npu", "galaxy_s25_npu", "snapdragon_7_gen_4_cpu"} <= set(devices)
    assert not any(each.checked for each in devices["iphone_xs_npu"].references)
    assert all(device.references for device in devices.values())


def test_measured_results_decide_the_status(model: Path, tmp_path: Path, cli: Cli) -> None:
    measured = write_measured(tmp_path / "m.json", RESULT)
    call = ("targets", model, "--targets", write_targets(tmp_path / "t.yaml"), "--measured", measured)
    met = cli(*call)
    assert met.status == 0, met.err
    assert "20.00 33.3 met" in " ".join(met.out.split())
    assert "2026-01-31, 50 runs in CoreML, matched by file name" in " ".join(met.out.split())
    missed = cli(*call, "--budget-ms", 16, "--output", tmp_path / "v.json")
    assert missed.status == 1
    assert f"1 latency budget missed: {model}: 20.00 ms on phone, budget 16 ms" in missed.err
    (verdict,) = json.loads((tmp_path / "v.json").read_text())["budgets"]
    assert (verdict["device"], verdict["status"], verdict["latency_ms"]) == ("phone", "missed", 20)


def test_a_result_counts_for_the_file_that_ran(model: Path) -> None:
    device = Device("phone", "A phone", 33, "", ())
    own = Measured("phone", "CoreML", 50, 20, "2026-01-31", "renamed.onnx", hashlib.sha256(b"weights").hexdigest())
    newer, other = replace(own, date="2026-02-01", p50_ms=40), replace(own, file="m.tflite", sha256="0" * 64)
    assert check_budgets([model], [device], [own])[0].status == "met"
    assert check_budgets([model], [device], [newer, own])[0].status == "missed"
    model.write_bytes(b"other weights")
    assert check_budgets([model], [device], [own, other])[0].status == "not measured"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p50_s": 0.02}, "result 1, device phone: unknown key p50_s; expected p50_ms"),
        ({"p50_ms": "20"}, "result 1, device phone: p50_ms is '20'; expected a positive number"),
        ({"date": "31.1.2026"}, "date is '31.1.2026'; expected a date, YYYY-MM-DD"),
        ({"device": "watch"}, "unknown device 'watch'; choose from phone"),
    ],
)
def test_wrong_results_are_refused(change: dict[str, Any], message: str, model: Path, tmp_path: Path, cli: Cli) -> None:
    path = write_measured(tmp_path / "m.json", RESULT | change)
    result = cli("targets", model, "--targets", write_targets(tmp_path / "t.yaml"), "--measured", path)
    assert result.status == 2
    assert message in result.err


def test_what_is_not_measured_fails_nothing(model: Path, tmp_path: Path, cli: Cli) -> None:
    output = tmp_path / "v.json"
    result = cli("targets", model, "--targets", write_targets(tmp_path / "t.yaml"), "--output", output)
    assert result.status == 0, result.err
    text = " ".join(result.out.split())
    assert "m.tflite 33.3 not measured" in text
    assert "published by a paper: pydnet 384x640 fp16 17 ms" in text
    assert text.endswith("latency budgets: 1 not measured")
    content = json.loads(output.read_text())
    assert content["checks"] == []  # which are for ONNX files
    assert [(each["status"], each["latency_ms"]) for each in content["budgets"]] == [("not measured", None)]
    unverified = cli("targets", model, "--targets", write_targets(tmp_path / "t.yaml", checked=False))
    assert "published by a paper (unverified): pydnet" in " ".join(unverified.out.split())


def test_measured_results_need_no_torch(model: Path, tmp_path: Path) -> None:
    measured = write_measured(tmp_path / "m.json", RESULT)
    arguments = [
        "targets",
        str(model),
        "--targets",
        str(write_targets(tmp_path / "t.yaml")),
        "--measured",
        str(measured),
    ]
    code = f"import sys\nfrom lightning_app.cli.main import main\ntry: main({arguments!r})\n"
    code += "except SystemExit as stop: pass\n"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_targets_without_a_file_lists_devices(cli: Cli) -> None:
    result = cli("targets")
    assert result.status == 0, result.err
    assert "galaxy_s25_npu" in result.out
    assert "published by" in cli("targets", "--device", "galaxy_s25_npu").out
    assert cli("targets", "--budget-ms", "5").status == 2
    assert "unknown device 'galaxy'" in cli("targets", "--device", "galaxy").err
