"""Quantization of ONNX models in memory. Does not import torch."""

from __future__ import annotations

import copy
import difflib
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Literal, TypeAlias

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from deploy.export.strip_model import strip_model
from deploy.inference.model_info import ModelInfo
from deploy.inference.network import require_finite
from deploy.inference.onnx_network import OnnxNetwork, read_model
from deploy.measure.agreement import random_images
from deploy.measure.macs import is_int8
from deploy.quantization.calibration import QUANTIZED

Scheme: TypeAlias = Literal["static", "dynamic", "a16w8"]
_ACTIVATIONS = ("Relu", "Clip")  # the quantizer fuses them into the range of the preceding node
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_STEM_PRODUCTS = 27  # the value of models.float_layers, which imports torch
_OPSET_16_BIT = 21  # the first opset whose QuantizeLinear supports 16 bits


def fp32_file(model: Path) -> Path:
    """The fp32 ONNX file of a checkpoint, exported beside it unless it is there already; any other file unchanged.

    Raises:
        FileNotFoundError: the checkpoint is missing.
        FileExistsError: the ONNX file beside the checkpoint was made from another one.
        ValueError: not a checkpoint of PocketDepth.
        RuntimeError: the file does not agree with torch.
    """
    if model.suffix != ".ckpt" or not model.is_file():
        return model
    exported = model.with_suffix(".onnx")
    if exported.exists():
        sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
        if OnnxNetwork(exported).info.checkpoint_sha256 == sha256:
            print(f"{model}: exported already, as {exported}")
            return exported
    from deploy.export.export import export  # imports torch

    return export(model)[0]


def open_fp32(model: Path) -> OnnxNetwork:
    """Open an fp32 file and check that it can be quantized.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is not ONNX, is not in fp32, or has a camera input.
        RuntimeError: it cannot run, or its output is not finite.
    """
    network = OnnxNetwork(model, threads=1)
    loaded = read_model(model)
    if network.takes_frames:
        raise ValueError(
            f"{model}: has a camera input; quantize the file that it was made from, then use export --camera"
        )
    if is_int8(loaded) or network.info.quantized:
        raise ValueError(f"{model}: is already quantized; give its fp32 file")
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in loaded.graph.initializer):
        raise ValueError(f"{model}: is in fp16; give its fp32 file")
    require_finite(network(random_images(network.size, 1)[0]), model)
    return network


def prepared(model: Path, scheme: Scheme = "static") -> onnx.ModelProto:
    """Load an fp32 file, fuse it, infer shapes and name all nodes, as the quantizer requires.

    Raises:
        OSError: the temporary folder is full.
    """
    try:
        result = _prepare(model, scheme)
    except OSError as error:  # the message of a failed write has no file name
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
    for index, node in enumerate(result.graph.node):
        node.name = node.name or f"nameless_{node.op_type}_{index}"
    return result


def _prepare(model: Path, scheme: Scheme) -> onnx.ModelProto:
    """Preprocess with ONNX Runtime, after an opset conversion if the scheme needs it."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "prepared.onnx"
        source = model
        loaded = onnx.load(model)
        opset = next(each.version for each in loaded.opset_import if each.domain in ("", "ai.onnx"))
        if scheme == "a16w8" and opset < _OPSET_16_BIT:
            source = Path(folder) / "converted.onnx"
            onnx.save(onnx.version_converter.convert_version(loaded, _OPSET_16_BIT), source)
        quant_pre_process(source, path, skip_symbolic_shape=True)
        return onnx.load(path)


def quantized(
    model: onnx.ModelProto, scheme: Scheme, ranges: TensorsData | None = None, float_nodes: Sequence[str] = ()
) -> onnx.ModelProto:
    """Quantize a prepared model. The head stays in float, and in ``static`` also a small stem.

    Args:
        model: model from :func:`prepared`.
        scheme: ``static`` (uint8 activations, per-channel int8 weights), ``a16w8`` (uint16 activations) or ``dynamic``
            (8-bit weights, activation ranges at run time).
        ranges: activation ranges. Not needed for ``dynamic``.
        float_nodes: names of additional nodes that stay in float, each with the activation function that follows it.

    Raises:
        ValueError: the model has no convolution, or no node has one of the names.
    """
    excluded = [*head_nodes(model), *stem_nodes(model)] if scheme == "static" else head_nodes(model)
    excluded += [name for node in float_nodes for name in layer_nodes(model.graph, node)]
    with _quiet():
        if scheme == "dynamic":
            return strip_model(_dynamic(model, excluded))
        quantizer = QDQQuantizer(
            copy.deepcopy(model),
            True,  # per-channel weights
            False,  # 8-bit weights, not 7-bit
            QuantType.QInt8,
            QuantType.QUInt16 if scheme == "a16w8" else QuantType.QUInt8,
            copy.deepcopy(ranges),  # the quantizer modifies them
            [],
            excluded,
            QUANTIZED,
            {},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        return strip_model(quantizer.model.model)


def head_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the head convolutions at the end of the model and of all nodes after the first of them."""
    nodes, floats = list(model.graph.node), _float_weights(model)
    start = len(nodes)
    for index in reversed([index for index, node in enumerate(nodes) if node.op_type in _CONVOLUTIONS]):
        if nodes[index].input[1] not in floats:
            break
        start = index
    return [node.name for node in nodes[start:]]


def stem_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the other convolutions that stay in float and of the activations after them."""
    head, floats = head_nodes(model), _float_weights(model)
    stem = [node for node in model.graph.node if node.op_type in _CONVOLUTIONS and node.input[1] in floats]
    return [name for node in stem if node.name not in head for name in layer_nodes(model.graph, node.name)]


def _float_weights(model: onnx.ModelProto) -> set[str]:
    """Return the names of the weights that stay in float.

    They are those of ``float_layers`` in the metadata, see :mod:`models.float_layers`. For a file without this entry,
    the same rule is applied to the graph.
    """
    convolutions = [node for node in model.graph.node if node.op_type in _CONVOLUTIONS]
    if not convolutions:
        raise ValueError("the model has no convolution, so it has no head to keep in float")
    info = ModelInfo.from_metadata({each.key: each.value for each in model.metadata_props}, "the model")
    named, last = {f"{layer}.weight" for layer in info.float_layers or ()}, convolutions[-1].input[1]
    if last in named:
        return named
    first = next((node.input[1] for node in convolutions if node.op_type == "Conv"), "")
    kernel = next((list(tensor.dims)[1:] for tensor in model.graph.initializer if tensor.name == first), [])
    return {last, first} if kernel[:1] == [3] and prod(kernel) <= _STEM_PRODUCTS else {last}


def layer_nodes(graph: onnx.GraphProto, name: str) -> list[str]:
    """Return a node and the activations after it, which stay in float together. Raises ValueError for unknown names."""
    nodes = {node.name: node for node in graph.node}
    if name not in nodes:
        near = difflib.get_close_matches(name, nodes, n=3, cutoff=0)
        raise ValueError(
            f"no node is named {name}; close matches: {', '.join(near)} (`quantize --sensitivity` lists all)"
        )
    names, output = [name], nodes[name].output[0]
    while True:
        users = [node for node in graph.node if output in node.input]
        if len(users) != 1 or users[0].op_type not in _ACTIVATIONS:
            return names
        names.append(users[0].name)
        output = users[0].output[0]


def quantized_layers(graph: onnx.GraphProto) -> list[str]:
    """Return the names of the nodes with a quantized input in a quantized model, in graph order."""
    produced = {output: node for node in graph.node for output in node.output}

    def dequantized(name: str) -> bool:
        node = produced.get(name)
        return node is not None and node.op_type == "DequantizeLinear" and node.input[0] in produced

    return [
        node.name
        for node in graph.node
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") and any(map(dequantized, node.input))
    ]


def _dynamic(model: onnx.ModelProto, excluded: list[str]) -> onnx.ModelProto:
    """Quantize weights only, with ONNX Runtime's dynamic quantization."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "model.onnx", Path(folder) / "dynamic.onnx"
        onnx.save(model, source)
        # Older versions of ONNX Runtime do not support ConvInteger with signed weights.
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8, nodes_to_exclude=excluded)
        return onnx.load(target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress ONNX Runtime's warnings about nodes in float, and its logs of errors that are raised anyway."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
