"""Peak throughput of the CPU, measured with dense convolutions. Does not import torch."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CHANNELS, HEIGHT, WIDTH = 128, 48, 160
TRIES = 50  # repetitions of the peak measurement if a network appears to exceed the peak


def dense_convolution(int8: bool) -> onnx.ModelProto:
    """Build a chain of 3x3 convolutions with 128 channels, in fp32 or QDQ int8 (uint8 activations, int8 weights)."""
    random = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    name = "image"
    shape = (CHANNELS, CHANNELS, 3, 3)
    for layer in range(3):
        weight = random.normal(0, (2 / (9 * CHANNELS)) ** 0.5, shape).astype(np.float32)
        output = f"conv{layer}"
        if int8:
            name = _quantized(nodes, constants, name, np.float32(1 / 64), np.array(128, np.uint8))
            scale = np.asarray(np.abs(weight).max() / 127, np.float32)
            constants.append(numpy_helper.from_array(np.rint(weight / scale).astype(np.int8), f"weight{layer}_q"))
            constants.append(numpy_helper.from_array(scale, f"weight{layer}_scale"))
            constants.append(numpy_helper.from_array(np.array(0, np.int8), f"weight{layer}_zero"))
            inputs = [f"weight{layer}_q", f"weight{layer}_scale", f"weight{layer}_zero"]
            nodes.append(helper.make_node("DequantizeLinear", inputs, [f"weight{layer}"]))
        else:
            constants.append(numpy_helper.from_array(weight, f"weight{layer}"))
        nodes.append(helper.make_node("Conv", [name, f"weight{layer}"], [output], pads=[1, 1, 1, 1]))
        name = output
    if int8:
        name = _quantized(nodes, constants, name, np.float32(1 / 64), np.array(128, np.uint8))
    sides = [1, CHANNELS, HEIGHT, WIDTH]
    graph = helper.make_graph(
        nodes,
        "peak",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def peak_task(model: onnx.ModelProto, threads: int) -> Callable[[], object]:
    """Return a function that runs the model once."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"image": np.random.default_rng(1).normal(0, 1, (1, CHANNELS, HEIGHT, WIDTH)).astype(np.float32)}
    return lambda: session.run(None, feed)


def fastest_of_many(task: Callable[[], object], threads: int, enough: float) -> float:
    """Repeat a task and return its fastest time, to find the peak on a busy machine.

    The time is the CPU time, which other processes do not increase, divided by the number of threads. It is exact for
    one thread. If threads wait for each other, it is too short, which makes the check more lenient.

    Args:
        task: function to time.
        threads: number of threads that the task uses.
        enough: stop when a run takes at most this many seconds.

    Returns:
        Seconds of the fastest run.
    """
    best = np.inf
    for _ in range(TRIES):
        begin = time.process_time()
        task()
        best = min(best, (time.process_time() - begin) / threads)
        if best <= enough:
            break
    return float(best)


def _quantized(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    name: str,
    scale: np.float32,
    zero: NDArray[np.uint8],
) -> str:
    """Append QuantizeLinear and DequantizeLinear after ``name`` and return the new tensor name."""
    for kind, value in (("scale", np.asarray(scale)), ("zero", zero)):
        constants.append(numpy_helper.from_array(value, f"{name}_{kind}"))
    nodes.append(helper.make_node("QuantizeLinear", [name, f"{name}_scale", f"{name}_zero"], [f"{name}_q"]))
    nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", f"{name}_scale", f"{name}_zero"], [f"{name}_dq"]))
    return f"{name}_dq"
