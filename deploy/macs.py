"""What an ONNX model computes: its operations and their precision. No torch."""

from __future__ import annotations

from math import prod

import onnx


def count_macs(model: onnx.ModelProto) -> int:
    """Multiply-accumulates of one run: convolutions, transposed convolutions and matrix products.

    Raises:
        ValueError: a shape is not static.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.output, *graph.value_info]:
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        names = (node.input[0], node.input[1], node.output[0])
        if any(not shapes.get(name) or 0 in shapes[name] for name in names):
            raise ValueError(f"{node.op_type} {node.name}: no static shape, so its operations cannot be counted")
        data, weight, output = (shapes[name] for name in names)
        if node.op_type == "Conv":  # (out, in / groups, kernel...)
            total += prod(output) * prod(weight[1:])
        elif node.op_type == "ConvTranspose":  # (in, out / groups, kernel...)
            total += prod(data) * prod(weight[1:])
        else:
            total += prod(output) * data[-1]
    return total


def is_int8(model: onnx.ModelProto) -> bool:
    """Whether a model's convolutions run in int8: whether it holds quantized activations."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)
