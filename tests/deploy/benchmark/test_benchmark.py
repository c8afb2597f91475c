"""What a benchmark measures beside the median, what it refuses, and what a failure leaves: nothing."""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from rich.console import Console

from deploy.benchmark.benchmark import benchmark
from deploy.benchmark.report import benchmark_table
from deploy.measure.fresh_process import start
from deploy.measure.macs import count_macs, is_int8, precision
from deploy.measure.peak import dense_convolution
from deploy.measure.timing import Row, measure
from tests.conftest import Cli

ROW = Row("runs/small.onnx", "onnxruntime", (192, 640), "fp32", 6.2, 5.5, 0.5, 9.0, 11.5, 14.1, 58.7, 0.5, 1.0)


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.measure.fresh_process.PROCESSES", 1)


@pytest.mark.slow
def test_reference_stands_beside_the_file(exported: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("benchmark", exported, "--reference", "resnet18", "--runs", 3, "--output", tmp_path / "b")
    assert result.status == 0, result.err
    own, other = json.loads((tmp_path / "b" / "benchmark.json").read_text())["rows"]
    assert (own["reference"], other["reference"]) == (False, True)
    assert (other["file"], other["size"], other["precision"]) == ("resnet18", [64, 96], "fp32")
    assert other["gmac"] > own["gmac"]
    assert own["p50_ms"] <= own["p90_ms"] <= own["p99_ms"]
    assert 0 < own["compressed_mb"] < own["size_mb"]
    assert own["first_ms"] > 0
    assert 1 < own["memory_mb"] < 1000
    assert "random weights" in (tmp_path / "b" / "benchmark.txt").read_text()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("pydnet", "reference network pydnet: size 64x96 (height x width) is not a multiple of PyDNet's"),
        ("resnet19", "unknown reference network 'resnet19'; choose from pydnet, fastdepth, resnet18"),
    ],
)
def test_reference_that_cannot_be_built(reference: str, message: str, exported: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("benchmark", exported, "--reference", reference, "--output", tmp_path / "b")
    assert result.status == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("width", [80, 140])
def test_table_fits(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    longest = replace(
        ROW, file="a/" + 6 * "long-name-" + ".tflite", runtime="LiteRT", precision="dynamic int8", gmac=None
    )
    rows = [replace(each, first_ms=120.3, memory_mb=1204.0) for each in (ROW, longest, replace(ROW, reference=True))]
    Console(width=width).print(benchmark_table(rows, "a processor"))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    for word in ("zip", "p99", "first", "RAM", "peak", "1204", "50%", "LiteRT", "random weights:"):
        assert word in text


def test_checkpoint_is_timed_too(fitted: Path) -> None:
    own, exported = measure([fitted / "checkpoints" / "last.ckpt", fitted / "depth.onnx"], threads=1, runs=2)
    assert (own.runtime, own.gmac, own.peak_share, own.precision) == ("torch", None, None, "fp32")
    assert (exported.runtime, exported.size) == ("onnxruntime", (64, 96))


def test_precision_is_known_by_the_graph(exported: Path, tmp_path: Path) -> None:
    quantize_dynamic(exported, tmp_path / "dynamic.onnx")
    fp32, dynamic = onnx.load(exported), onnx.load(tmp_path / "dynamic.onnx")
    assert (precision(fp32), precision(dynamic)) == ("fp32", "dynamic int8")
    assert (is_int8(fp32), is_int8(dynamic)) == (False, True)
    assert count_macs(dynamic) == count_macs(fp32)
    static = dense_convolution(int8=True)
    assert precision(static) == "int8"
    for tensor in static.graph.initializer:
        if tensor.data_type == TensorProto.UINT8:
            tensor.CopyFrom(numpy_helper.from_array(np.array(1 << 15, np.uint16), tensor.name))
    assert precision(static) == "w8a16"
    half = numpy_helper.from_array(np.ones(1, np.float16), "one")
    assert precision(helper.make_model(helper.make_graph([], "g", [], [], [half]))) == "fp16"


def test_file_without_multiply_accumulates_is_timed(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 64])
    depth = helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, 1, 32, 64])
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    node = helper.make_node("ReduceMean", ["image", "axes"], ["depth"], keepdims=1)
    graph = helper.make_graph([node], "mean", [image], [depth], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "mean.onnx")
    (row,) = measure([tmp_path / "mean.onnx"], threads=1, runs=2)
    assert (row.gmac, row.peak_share) == (0, None)


def test_foreign_file_whose_operations_cannot_be_counted(exported: Path, tmp_path: Path) -> None:
    model = onnx.load(exported)
    node = next(node for node in model.graph.node if node.op_type == "Conv" and len(node.input) == 3)
    node.op_type, node.domain = "FusedConv", "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, tmp_path / "fused.onnx")
    (row,) = measure([tmp_path / "fused.onnx"], threads=1, runs=2)
    assert row.gmac is row.peak_share is None
    assert row.p50_ms > 0


def test_weights_beside_the_file_count(exported: Path, tmp_path: Path) -> None:
    onnx.save(onnx.load(exported), tmp_path / "d.onnx", save_as_external_data=True, location="d.weights")
    whole, divided = measure([exported, tmp_path / "d.onnx"], threads=1, runs=2)
    assert divided.size_mb == pytest.approx(whole.size_mb, rel=0.05)
    (tmp_path / "d.weights").unlink()
    with pytest.raises(FileNotFoundError, match=r"d\.onnx: its weights are in .*d\.weights, which is missing"):
        measure([tmp_path / "d.onnx"], threads=1, runs=2)


def test_fresh_process_says_why_it_failed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"absent\.onnx: failed in a fresh process .*no such ONNX file"):
        start(tmp_path / "absent.onnx", threads=1)


def test_interrupt_leaves_nothing(exported: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> list[Row]:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.benchmark.benchmark.measure", interrupt)
    result = cli("benchmark", exported, "--output", tmp_path / "b")
    assert result.status == 130  # as the shell counts an interrupt
    assert not (tmp_path / "b").exists()


def test_interrupt_while_a_picture_is_written(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", interrupt)
    with pytest.raises(KeyboardInterrupt):
        benchmark([exported], runs=1, output=tmp_path / "b")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["benchmark.json", "benchmark.txt"]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 10 kB, by the system's own limit: writes fail as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("verb", [pytest.param("export", marks=pytest.mark.slow), "quantize", "benchmark"])
def test_full_disk(verb: str, fitted: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    output = tmp_path / "out" / ("b" if verb == "benchmark" else "depth.onnx")
    arguments = {
        "export": (fitted / "checkpoints" / "last.ckpt",),
        "quantize": (fitted / "depth.onnx", data_root / "photos"),
        "benchmark": (fitted / "depth.onnx", "--runs", 1),
    }[verb]
    with full_disk():
        result = cli(verb, *arguments, "--output", output)
    assert result.status == 1, result
    full = tempfile.gettempdir() if verb == "quantize" else output  # its first step works in a temporary folder
    assert result.err.splitlines()[-1].startswith(f"pocketdepth: error: {full}")
    assert "file too large" in result.err.splitlines()[-1]
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(left) == (["benchmark.json", "benchmark.txt"] if verb == "benchmark" else [])
