"""Conversion of a network to an ONNX model in memory."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import cast

import numpy as np
import onnx
import torch
from torch import nn

from deploy.export.strip_model import strip_model
from deploy.inference.model_info import ModelInfo
from models.encoder import fuse
from models.float_layers import float_layers
from models.prediction import Predicts


def to_onnx(network: nn.Module, size: tuple[int, int]) -> onnx.ModelProto:
    """Convert a network to a fused ONNX model in evaluation mode.

    The metadata contains ``predicts`` and ``float_layers``, the names of the layers that stay in float in int8 files.
    The weight of a layer is the initializer ``NAME.weight``.

    Args:
        network: depth network.
        size: static (height, width) of the input.
    """
    example = torch.zeros(1, 3, *size)
    fused = fuse(network).eval()
    with _quiet():
        program = torch.onnx.export(
            fused, (example,), dynamo=True, external_data=False, input_names=["image"], output_names=["depth"]
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    _name_empty_roi(model)
    _shuffle_as_nnapi(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    weights = {tensor.name for tensor in model.graph.initializer}  # heads used only in training are not exported
    floats = tuple(name for name in float_layers(fused) if f"{name}.weight" in weights)
    info = ModelInfo(predicts=cast(Predicts, network.predicts), float_layers=floats or None)
    onnx.helper.set_model_props(model, info.to_metadata())
    strip_model(model)
    onnx.checker.check_model(model)
    return model


def _name_empty_roi(model: onnx.ModelProto) -> None:
    """Pass a named empty tensor as the unused roi of Resize: the usability checker does not support unnamed inputs."""
    nodes = [node for node in model.graph.node if node.op_type == "Resize" and node.input[1] == ""]
    for node in nodes:
        node.input[1] = "empty_roi"
    if nodes:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(0, np.float32), "empty_roi"))


def _shuffle_as_nnapi(model: onnx.ModelProto) -> None:
    """Set DepthToSpace to DCR, the only mode that NNAPI supports. For one output channel, DCR and CRD are equal."""
    channels = {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in (*model.graph.value_info, *model.graph.output)
        if len(value.type.tensor_type.shape.dim) > 1
    }
    for node in model.graph.node:
        if node.op_type == "DepthToSpace" and channels[node.output[0]] == 1:
            next(each for each in node.attribute if each.name == "mode").s = b"DCR"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress progress messages and deprecation warnings of the exporter."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
