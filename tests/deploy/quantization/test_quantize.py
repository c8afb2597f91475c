"""Quantized files: schemes, and what stays in float."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization.calibrate import TensorsData

from deploy.export.strip_model import strip_model
from deploy.inference.onnx_network import OnnxNetwork
from deploy.quantization.calibration import folder_images, ranges
from deploy.quantization.quantize import quantize
from deploy.quantization.quantizer import layer_nodes, prepared, quantized, quantized_layers
from tests.conftest import EXPERIMENTS, Cli

BASE = EXPERIMENTS / "base.yaml"


@pytest.mark.parametrize(
    ("scheme", "says"),
    [
        ("static", "a small stem and the head in float"),
        ("dynamic", "not a faster one"),
        ("a16w8", "for NPUs, slower than int8"),
    ],
)
def test_schemes(scheme: str, says: str, exported: Path, photos: Path, cli: Cli) -> None:
    result = cli("quantize", exported, photos, "--scheme", scheme)
    assert result.status == 0, result.err
    assert "mean change" in result.out
    assert ("calibrated on 9 images" in result.out) == (scheme != "dynamic")
    assert "evaluated on 3 " in result.out
    path = exported.with_name(f"depth-{'int8' if scheme == 'static' else scheme}.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert says in OnnxNetwork(path).metadata["quantized"]
    assert says in result.out
    assert path.stat().st_size < 0.5 * exported.stat().st_size
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert (onnx.TensorProto.UINT16 in kinds) == (scheme == "a16w8")
    assert {each.domain for each in model.opset_import} <= {"", "com.microsoft"}
    again = cli("quantize", path, photos)
    assert (again.status, "is already quantized" in again.err) == (2, True)


def test_dynamic_needs_no_images_but_static_does(exported: Path, cli: Cli) -> None:
    assert cli("quantize", exported, "--scheme", "dynamic").status == 0
    result = cli("quantize", exported)
    assert result.status == 2
    assert "no calibration images: give a folder" in result.err


def test_named_nodes_stay_in_float(exported: Path, photos: Path, cli: Cli) -> None:
    layers = quantized_layers(quantized(prepared(exported), "static", _ranges(exported, photos)).graph)
    result = cli("quantize", exported, photos, "--float", layers[3])
    assert result.status == 0, result.err
    path = exported.with_name("depth-int8.onnx")
    produced = {output: node for node in onnx.load(path).graph.node for output in node.output}
    node = next(each for each in onnx.load(path).graph.node if each.name == layers[3])
    assert node.input[1] not in produced  # its weights are not dequantized
    assert OnnxNetwork(path).metadata["quantized"].endswith(f"also in float: {layers[3]}")
    wrong = cli("quantize", exported, photos, "--float", layers[3] + "x", "--overwrite")
    assert wrong.status == 2
    assert f"no node is named {layers[3]}x; close matches: {layers[3]}" in wrong.err


def test_auto_keeps_the_noisy_layer_in_float(few_layers: Path, photos: Path, cli: Cli) -> None:
    first = cli("quantize", few_layers, photos, "--auto", 0.9)
    assert "no further layer in float" in first.out, first.err
    path = few_layers.with_name("few-int8.onnx")
    before = _change(first.out)
    found = cli("quantize", few_layers, photos, "--auto", before / 2, "--overwrite")
    assert "layers stay in float: " in found.out, found.err
    assert "(1 thread, 20 interleaved runs)" in found.out
    assert _change(found.out) <= before / 2
    assert "also in float: " in OnnxNetwork(path).metadata["quantized"]
    content = path.read_bytes()
    missed = cli("quantize", few_layers, photos, "--auto", 1e-9, "--overwrite")
    assert missed.status == 1
    assert "even with all but one of 3 layers in float" in missed.err
    assert path.read_bytes() == content


def test_auto_holds_abs_rel_where_there_is_truth(exported: Path, fitted: Path, cli: Cli) -> None:
    data = ("--data", BASE, "--data", fitted.parents[1] / "tiny.yaml")
    result = cli("quantize", exported, *data, "--auto", 0.9)
    assert result.status == 0, result.err
    assert "the relative increase of abs_rel on the validation split (kitti-eigen) is " in result.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--scheme", "int4"), "scheme 'int4' is not one of static, dynamic, a16w8"),
        (("--method", "best"), "method 'best' is not one of minmax, percentile, entropy"),
        (("--auto", "1"), "must be between 0 and 1, such as 0.01"),
        (("--auto", "0.1", "--scheme", "dynamic"), "--auto needs --scheme static or a16w8"),
    ],
)
def test_wrong_options_are_one_line(
    options: tuple[str, ...], says: str, exported: Path, photos: Path, cli: Cli
) -> None:
    result = cli("quantize", exported, photos, *options)
    assert result.status == 2
    assert says in result.err
    assert len(result.err.splitlines()) == 1


def test_lean_files_say_the_same(exported: Path) -> None:
    model = onnx.load(exported)
    image = np.random.default_rng(0).random((1, 3, 64, 96), dtype=np.float32)
    expected = OnnxNetwork(exported)(image)
    for node in model.graph.node:
        node.metadata_props.add(key="stack_trace", value="somebody's code")  # as torch's exporter writes it
    before = model.ByteSize()
    onnx.save(strip_model(model), exported)
    onnx.checker.check_model(model, full_check=True)
    assert model.ByteSize() < before
    assert not any(node.metadata_props for node in model.graph.node)
    np.testing.assert_array_equal(OnnxNetwork(exported)(image), expected)


def test_a_model_in_fp16_is_refused(exported: Path, photos: Path, tmp_path: Path) -> None:
    model = onnx.load(exported)
    half = onnx.numpy_helper.from_array(np.zeros(3, np.float16), "unused")
    model.graph.initializer.append(half)
    onnx.save(model, tmp_path / "half.onnx")
    with pytest.raises(ValueError, match="is in fp16; give its fp32 file"):
        quantize(tmp_path / "half.onnx", photos)


def test_a_layer_is_its_convolution_and_the_activation_after_it(exported: Path) -> None:
    graph = prepared(exported).graph
    first = next(node.name for node in graph.node if node.op_type == "Conv")
    kinds = {node.name: node.op_type for node in graph.node}
    assert [kinds[name] for name in layer_nodes(graph, first)] == ["Conv", "Relu"]


def _change(printed: str) -> float:
    """The mean change of depth that was printed last, as a share."""
    return float(re.findall(r"mean change ([\d.]+)%", printed)[-1]) / 100


def _ranges(exported: Path, photos: Path) -> TensorsData:
    return ranges(prepared(exported), folder_images(photos, (64, 96), 2).calibrate, title=None)
