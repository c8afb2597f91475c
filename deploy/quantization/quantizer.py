"""fp32 -> int8, as models in memory. No torch."""

from __future__ import annotations

import copy
import difflib
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
from deploy.inference.onnx_network import OnnxNetwork, read_model
from deploy.measure.macs import is_int8
from deploy.quantization.calibration import QUANTIZED

Scheme: TypeAlias = Literal["static", "dynamic", "a16w8"]
_ACTIVATIONS = ("Relu", "Clip")  # the quantizer makes them part of the range of what comes before
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_STEM_PRODUCTS = 27  # as in models.float_layers, which imports torch
_OPSET_16_BIT = 21  # the first whose QuantizeLinear knows 16 bits


def open_fp32(model: Path) -> OnnxNetwork:
    """An fp32 file, ready to be quantized.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an ONNX file, not one in fp32, or one that takes frames.
    """
    network = OnnxNetwork(model, threads=1)
    loaded = read_model(model)
    if network.takes_frames:
        raise ValueError(f"{model}: takes a camera's frames; quantize the file that it was made of, then `camera` it")
    if is_int8(loaded) or network.info.quantized:
        raise ValueError(f"{model}: is quantized already; give its fp32 file")
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in loaded.graph.initializer):
        raise ValueError(f"{model}: is in fp16; give its fp32 file")
    return network


def prepared(model: Path, scheme: Scheme = "static") -> onnx.ModelProto:
    """An fp32 file's model, fused, with the shapes that the quantizer needs and a name for each node.

    Raises:
        OSError: the temporary folder is full.
    """
    try:
        result = _prepare(model, scheme)
    except OSError as error:  # of a failed write, which names no file by itself
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
    for index, node in enumerate(result.graph.node):
        node.name = node.name or f"nameless_{node.op_type}_{index}"
    return result


def _prepare(model: Path, scheme: Scheme) -> onnx.ModelProto:
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
    """Quantize a prepared model; its head stays in float, and in ``static`` a small stem, too.

    Args:
        model: as ``prepared`` makes it.
        scheme: ``static`` (uint8 activations, int8 weights per channel), ``a16w8`` (uint16 activations) or ``dynamic``
            (int8 weights; the activations' ranges are found at run time).
        ranges: of the activations; ``dynamic`` needs none.
        float_nodes: names of more nodes that stay in float, each with the ReLU that follows it.

    Raises:
        ValueError: no convolution, or no node of such a name.
    """
    excluded = [*head_nodes(model), *stem_nodes(model)] if scheme == "static" else head_nodes(model)
    excluded += [name for node in float_nodes for name in layer_nodes(model.graph, node)]
    with _quiet():
        if scheme == "dynamic":
            return strip_model(_dynamic(model, excluded))
        quantizer = QDQQuantizer(
            copy.deepcopy(model),
            True,  # weights per channel
            False,  # of eight bits, not seven
            QuantType.QInt8,
            QuantType.QUInt16 if scheme == "a16w8" else QuantType.QUInt8,
            copy.deepcopy(ranges),  # the quantizer changes them
            [],
            excluded,
            QUANTIZED,
            {},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        return strip_model(quantizer.model.model)


def head_nodes(model: onnx.ModelProto) -> list[str]:
    """The names of the head's convolution, the last that stays in float, and of all nodes after it."""
    nodes, floats = list(model.graph.node), _float_weights(model)
    start = len(nodes)
    for index in reversed([index for index, node in enumerate(nodes) if node.op_type in _CONVOLUTIONS]):
        if nodes[index].input[1] not in floats:
            break
        start = index
    return [node.name for node in nodes[start:]]


def stem_nodes(model: onnx.ModelProto) -> list[str]:
    """The names of the other convolutions that stay in float, and of the activations after them."""
    head, floats = head_nodes(model), _float_weights(model)
    stem = [node for node in model.graph.node if node.op_type in _CONVOLUTIONS and node.input[1] in floats]
    return [name for node in stem if node.name not in head for name in layer_nodes(model.graph, node.name)]


def _float_weights(model: onnx.ModelProto) -> set[str]:
    """The names of the weights that stay in float: those of ``float_layers`` in the metadata, see
    :mod:`models.float_layers`; by the same rule, applied to the graph, in a file that does not name them.
    """
    convolutions = [node for node in model.graph.node if node.op_type in _CONVOLUTIONS]
    if not convolutions:
        raise ValueError("the model has no convolution, so no head to keep in float")
    info = ModelInfo.from_metadata({each.key: each.value for each in model.metadata_props}, "the model")
    named, last = {f"{layer}.weight" for layer in info.float_layers or ()}, convolutions[-1].input[1]
    if last in named:
        return named
    first = next((node.input[1] for node in convolutions if node.op_type == "Conv"), "")
    kernel = next((list(tensor.dims)[1:] for tensor in model.graph.initializer if tensor.name == first), [])
    return {last, first} if kernel[:1] == [3] and prod(kernel) <= _STEM_PRODUCTS else {last}


def layer_nodes(graph: onnx.GraphProto, name: str) -> list[str]:
    """A node and the activations after it, which stay in float together; raises ValueError where there is none."""
    nodes = {node.name: node for node in graph.node}
    if name not in nodes:
        near = difflib.get_close_matches(name, nodes, n=3, cutoff=0)
        raise ValueError(f"no node is named {name}; near to it: {', '.join(near)} (`sensitivity` lists them)")
    names, output = [name], nodes[name].output[0]
    while True:
        users = [node for node in graph.node if output in node.input]
        if len(users) != 1 or users[0].op_type not in _ACTIVATIONS:
            return names
        names.append(users[0].name)
        output = users[0].output[0]


def quantized_layers(graph: onnx.GraphProto) -> list[str]:
    """The names of the nodes of a quantized model whose input is quantized, in its order."""
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
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "model.onnx", Path(folder) / "dynamic.onnx"
        onnx.save(model, source)
        # Older ONNX Runtimes have no ConvInteger for signed weights.
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8, nodes_to_exclude=excluded)
        return onnx.load(target)


@contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime warns of each thing that it leaves in float, here on purpose, and logs what it raises besides."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
