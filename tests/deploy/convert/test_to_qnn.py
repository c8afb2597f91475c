"""ONNX files compiled for the NPU of a Snapdragon. Skips where onnxruntime-qnn is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.conftest import Cli
from tests.deploy.convert.test_convert import needs


@pytest.mark.slow
def test_qnn(exported: Path, data_root: Path, cli: Cli) -> None:
    needs("onnxruntime_qnn", "qnn")
    assert cli("quantize", exported, data_root / "photos").status == 0
    for model, kind in ((exported.with_name("depth-int8.onnx"), "int8"), (exported, "fp16")):
        result = cli("convert", model, "--to", "qnn", "--images", data_root / "photos")
        assert result.status == 0, (kind, result.err)
        assert "the whole graph on its NPU" in result.out
        assert " dB on 3 images" in result.out
        assert float(result.out.partition("against ONNX Runtime: ")[2].split()[0]) > 15
    context = onnx.load(exported.with_name("depth-int8-sm8650.onnx"))
    assert [node.op_type for node in context.graph.node] == ["EPContext"]
    says = {each.key: each.value for each in context.metadata_props}
    assert (says["predicts"], says["chip"]) == ("depth", "SM8650")
    assert "unknown chip SM1" in cli("convert", exported, "--to", "qnn", "--chip", "SM1").err


@pytest.mark.slow
def test_qnn_names_what_would_fall_back(tmp_path: Path, cli: Cli) -> None:
    needs("onnxruntime_qnn", "qnn")
    sides = [1, 1, 32, 32]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weight"], ["a"], "first"),
            helper.make_node("Erf", ["a"], ["depth"], "gelu"),
        ],
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, sides)],
        [onnx.numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "a.onnx")
    result = cli("convert", tmp_path / "a.onnx", "--to", "qnn")
    assert result.status == 1
    assert "Erf gelu would run on the CPU, not on the NPU of SM8650" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
