"""Each layer back to float, as users see it."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from PIL import Image

from deploy.quantization.quantizer import head_nodes, stem_nodes
from tests.conftest import Cli
from tests.helpers.few_layers import write_few_layers


@pytest.mark.parametrize("trained", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_sensitivity_writes_text_json_and_picture(
    trained: bool, exported: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    model, output = exported if trained else write_few_layers(tmp_path / "few.onnx"), tmp_path / "s"
    result = cli("quantize", model, data_root / "photos", "--runs", 2, "--sensitivity", output)
    assert result.status == 0, result.err
    content = json.loads((output / "sensitivity.json").read_text())
    layers = content["layers"]
    nodes = [layer["node"] for layer in layers]
    content_fp32 = onnx.load(model)
    convolutions = {node.name for node in content_fp32.graph.node if node.op_type == "Conv"}
    floats = {*head_nodes(content_fp32), *stem_nodes(content_fp32)}
    assert set(nodes) & convolutions == convolutions - floats
    assert not set(nodes) & floats
    gains = [layer["gain_db_per_ms"] for layer in layers]
    assert gains == sorted(gains, reverse=True)
    weighty = [layer for layer in layers if layer["kind"].startswith("Conv")]
    assert all(layer["weights"] and 0 < layer["alone_db"] < 120 for layer in weighty)
    assert sum(layer["cost_mb"] for layer in weighty) > 0 or not trained  # of few weights, scales are as many bytes
    assert any("depthwise" in layer["kind"] for layer in weighty)
    assert "calibrated on 3 images" in content["how"]
    assert "evaluated on the same images" in content["how"]
    text = (output / "sensitivity.txt").read_text()
    assert all(node in text for node in nodes)
    assert not list(model.parent.glob("*-int8.onnx"))
    assert Image.open(output / "sensitivity.png").size[0] > 1000
    again = cli("quantize", model, data_root / "photos", "--sensitivity", output)
    assert again.status == 2
    assert "exists already" in again.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sensitivity", "s", "--scheme", "a16w8"), "--scheme does not apply to --sensitivity"),
        (("--sensitivity", "s", "--float", "head"), "--float does not apply to --sensitivity"),
        (("--sensitivity", "s", "--auto", 0.01), "--auto does not apply to --sensitivity"),
        (("--sensitivity", "s", "--output", "m.onnx"), "--output does not apply to --sensitivity"),
        (("--runs", 3), "--runs needs --sensitivity"),
        (("--threads", 1), "--threads needs --sensitivity"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    options: tuple[object, ...], message: str, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "model.onnx").touch()
    result = cli("quantize", tmp_path / "model.onnx", "photos", *options)
    assert (result.status, result.err) == (2, f"pocketdepth: error: {message}\n")
