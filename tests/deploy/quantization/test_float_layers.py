"""The quantizer keeps in float what the network names, and in a file that names nothing, the same by its graph."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from deploy.export.to_onnx import to_onnx
from deploy.inference.onnx_network import OnnxNetwork
from deploy.quantization.calibration import ranges
from deploy.quantization.quantizer import Scheme, head_nodes, layer_nodes, prepared, quantized, stem_nodes
from tests.deploy.pruning.test_prune import NETWORKS, SIZE
from tests.helpers.few_layers import write_few_layers

QUICK = ("small",)


def exported_file(build: Callable[[], torch.nn.Module], path: Path) -> Path:
    torch.manual_seed(0)
    onnx.save(to_onnx(build().eval(), SIZE), path)
    return path


def without_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model as a file of others: its metadata names no layers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    return copy


def by_place(graph: onnx.GraphProto) -> tuple[list[str], list[str]]:
    """From the last convolution on; and the first, where it is a small one on three channels."""
    convolutions = [i for i, node in enumerate(graph.node) if node.op_type in ("Conv", "ConvTranspose")]
    first = graph.node[convolutions[0]]
    kernel = next(list(tensor.dims) for tensor in graph.initializer if tensor.name == first.input[1])[1:]
    stem = layer_nodes(graph, first.name) if kernel[0] == 3 and prod(kernel) <= 27 else []
    return [node.name for node in list(graph.node)[convolutions[-1] :]], stem


@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in NETWORKS]
)
def test_names_and_graph_give_the_same_nodes(name: str, tmp_path: Path) -> None:
    model = prepared(exported_file(NETWORKS[name], tmp_path / "n.onnx"))
    assert "float_layers" in {each.key for each in model.metadata_props}
    for each in (model, without_names(model)):
        assert (head_nodes(each), stem_nodes(each)) == by_place(model.graph)
    assert bool(stem_nodes(model)) == (not name.startswith("description"))  # ResNet's stem of 7x7 is quantized


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["static", "dynamic", "a16w8"])
def test_names_change_the_metadata_alone(scheme: Scheme, tmp_path: Path) -> None:
    file = exported_file(NETWORKS["small"], tmp_path / "n.onnx")
    model = prepared(file, scheme)
    image = np.random.default_rng(0).random((1, 3, *SIZE), dtype=np.float32)
    found = None if scheme == "dynamic" else ranges(model, iter([image]), title=None)
    named, unnamed = (quantized(each, scheme, found) for each in (model, without_names(model)))
    assert named.graph.SerializeToString(deterministic=True) == unnamed.graph.SerializeToString(deterministic=True)


def test_a_layer_that_the_file_names_stays_in_float(tmp_path: Path) -> None:
    model = prepared(write_few_layers(tmp_path / "few.onnx"))
    kinds = {node.name: node.op_type for node in model.graph.node}
    first = next(node.name for node in model.graph.node if node.op_type == "Conv")
    assert stem_nodes(model) == layer_nodes(model.graph, first)
    onnx.helper.set_model_props(model, {"float_layers": "depthwise.0 head"})
    depthwise = stem_nodes(model)
    assert [kinds[name] for name in depthwise] == ["Conv", "Relu"]
    assert not set(depthwise) & set(layer_nodes(model.graph, first))
    assert [kinds[name] for name in head_nodes(model)][:2] == ["Conv", "Sigmoid"]
    onnx.helper.set_model_props(model, {"float_layers": "renamed"})  # as other tools rename weights
    assert stem_nodes(model) == layer_nodes(model.graph, first)


def test_the_exported_file_and_its_int8_file_name_the_layers(exported: Path, photos: Path) -> None:
    from deploy.quantization.quantize import quantize

    for path in (exported, quantize(exported, photos)):
        assert OnnxNetwork(path).metadata["float_layers"] == "encoder.backbone.conv_stem decoder.heads.0"
