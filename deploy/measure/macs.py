"""Multiply-accumulates and precision of an ONNX model. Does not import torch."""

from __future__ import annotations

from math import prod

import onnx
from onnx import TensorProto

# Index of the weight among the inputs.
_WEIGHT = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"), 1),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), 3),
}
_DYNAMIC = {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}
_STATIC = {"QuantizeLinear", "QLinearConv", "QLinearMatMul"}
_STANDARD = ("", "ai.onnx")  # domains of standard ONNX operators; custom operators have other domains


def count_macs(model: onnx.ModelProto) -> int:
    """Count the multiply-accumulates of one run: convolutions, transposed convolutions and matrix products.

    Raises:
        ValueError: a shape is not static, or the model contains a custom operator.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.output, *graph.value_info]:
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.domain not in _STANDARD and any(word in node.op_type for word in ("Conv", "MatMul", "Gemm")):
            raise ValueError(f"{node.op_type} is a custom operator of {node.domain}; its operations cannot be counted")
        if node.op_type not in _WEIGHT:
            continue
        names = (node.input[0], node.input[_WEIGHT[node.op_type]], node.output[0])
        if any(not shapes.get(name) or 0 in shapes[name] for name in names):
            raise ValueError(f"{node.op_type} {node.name}: no static shape, so its operations cannot be counted")
        data, weight, output = (shapes[name] for name in names)
        if node.op_type == "ConvTranspose":  # (in, out / groups, kernel...)
            total += prod(data) * prod(weight[1:])
        elif "Conv" in node.op_type:  # (out, in / groups, kernel...)
            total += prod(output) * prod(weight[1:])
        else:
            total += prod(output) * data[-1]
    return total


def is_int8(model: onnx.ModelProto) -> bool:
    """Whether a model has quantized activations, with static or dynamic scales."""
    return any(node.op_type in _STATIC | _DYNAMIC for node in model.graph.node)


def precision(model: onnx.ModelProto) -> str:
    """Return ``fp32``, ``fp16``, ``int8``, ``w8a16`` (16-bit activations) or ``dynamic int8`` (scales at run time)."""
    kinds = {node.op_type for node in model.graph.node}
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    if kinds & _DYNAMIC:
        return "dynamic int8"
    if kinds & _STATIC:
        zeros = [node.input[2] for node in model.graph.node if node.op_type == "QuantizeLinear" and len(node.input) > 2]
        wide = any(types.get(name) in (TensorProto.UINT16, TensorProto.INT16) for name in zeros)
        return "w8a16" if wide else "int8"
    return "fp16" if TensorProto.FLOAT16 in types.values() else "fp32"
