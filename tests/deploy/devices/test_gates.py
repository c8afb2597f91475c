"""What can be known of a phone without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from deploy.devices.arm_comparison import CPUS, agreement, arm_python, noise
from deploy.devices.gates import Gate, check_gates
from tests.conftest import Cli

ACCELERATORS = ("NNAPI", "CoreML NeuralNetwork", "CoreML MLProgram")


@pytest.fixture
def int8(exported: Path, data_root: Path, cli: Cli) -> Path:
    assert cli("quantize", exported, data_root / "photos").status == 0
    return exported.with_name("depth-int8.onnx")


@pytest.fixture
def no_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_ARM_PYTHON", "nowhere/python")


def found(gates: list[Gate]) -> dict[str, Gate]:
    return {gate.gate: gate for gate in gates}


@pytest.mark.usefixtures("no_arm")
def test_fp32_and_int8_pass_what_is_for_them(exported: Path, int8: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("targets", exported, int8, "--output", tmp_path / "t.json")
    assert result.status == 0, result.err
    content = json.loads((tmp_path / "t.json").read_text())
    assert {row["status"] for row in content["budgets"]} == {"not measured"}
    rows = [Gate(**row) for row in content["checks"]]
    float32, quantized = (found([row for row in rows if row.file == str(file)]) for file in (exported, int8))
    assert all(float32[name].status == "passed" for name in ("static shapes", "operators", *ACCELERATORS))
    assert quantized["NNAPI"].detail == "1 partition"
    assert quantized["CoreML MLProgram"].status == "skipped"
    assert "CoreML does not support QDQ" in quantized["CoreML MLProgram"].detail
    for cpu in CPUS:
        assert "applies to int8 files only" in float32[f"ARM ({cpu})"].detail
        assert "run `make arm` to set one up" in quantized[f"ARM ({cpu})"].detail
    assert cli("targets", exported, "--output", tmp_path / "t.json").status == 2


@pytest.mark.usefixtures("no_arm")
def test_a_gate_that_fails_is_named(exported: Path, tmp_path: Path, cli: Cli) -> None:
    model = onnx.load(exported)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    model.opset_import[0].version = 22
    onnx.save(model, tmp_path / "dynamic.onnx")
    rows = found(check_gates(tmp_path / "dynamic.onnx"))
    assert "image has no static shape" in rows["static shapes"].detail
    assert "opset 22" in rows["operators"].detail
    assert {rows[name].status for name in ACCELERATORS} == {"failed"}
    result = cli("targets", tmp_path / "dynamic.onnx", "--output", tmp_path / "t.json")
    assert result.status == 1
    failed = sum(row.status == "failed" for row in rows.values())  # with onnxruntime-qnn one more
    assert f"{failed} of 8 checks failed: " in result.err
    assert "dynamic.onnx: static shapes: image has no static shape" in result.err


def test_what_is_no_model_is_one_line(tmp_path: Path, exported: Path, cli: Cli) -> None:
    (tmp_path / "half.onnx").write_bytes(exported.read_bytes()[:3000])
    for path, message in ((tmp_path / "half.onnx", "or a truncated one"), (tmp_path / "x.onnx", "no such file")):
        result = cli("targets", path)
        assert result.status == 2
        assert message in result.err


def test_agreement_counts_bits(int8: Path) -> None:
    """This machine's own Python in ARM's place: what runs there, and that a file agrees with itself."""
    same = agreement(int8, noise((64, 96), 2), CPUS[0], Path(sys.executable))
    assert same.equal == same.tensors > 50
    assert (same.first, same.sqnr_db) == ("", float("inf"))


def test_noise_is_the_same_everywhere() -> None:
    images = noise((64, 96), 2)
    assert images.shape == (2, 3, 64, 96)
    assert images.dtype == np.float32
    assert 0 <= images.min() < 0.2 < 0.8 < images.max() <= 1
    assert np.array_equal(images, noise((64, 96), 2))


@pytest.mark.usefixtures("no_arm")
def test_a_python_that_fails_is_said(int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho Illegal instruction >&2\nexit 132\n")
    broken.chmod(0o755)
    monkeypatch.setenv("POCKETDEPTH_ARM_PYTHON", str(broken))
    gate = found(check_gates(int8))[f"ARM ({CPUS[0]})"]
    assert gate.status == "failed"
    assert "Illegal instruction" in gate.detail


@pytest.mark.slow
def test_int8_on_arm_is_int8_here(int8: Path, data_root: Path) -> None:
    try:
        python = arm_python()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    machine = [str(python), "-c", "import platform; print(platform.machine())"]
    assert subprocess.run(machine, capture_output=True, text=True, check=True).stdout.strip() == "aarch64"
    for cpu in CPUS:
        gate = found(check_gates(int8, data_root / "photos"))[f"ARM ({cpu})"]
        assert gate.status == "passed", gate.detail
        assert "int8 tensors are bit-identical" in gate.detail
        assert os.environ.get("QEMU_CPU") is None
