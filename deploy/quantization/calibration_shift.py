"""Whether calibration images are like what the network was trained on, and like what it will see. Imports torch for a
network alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import TensorData, TensorsData

from deploy.inference.model_info import ModelInfo

# Measured on five networks: images of the kind that was trained on stay below 0.09, photographs of other places below
# 0.25, mostly below 0.12; noise is above 0.3, frames that are dark or blank above 1.3.
SHIFT = 0.2
# Of powers of two, on average: photographs of one kind of place stay below 0.2, noise and dark frames are above 0.3.
DIFFERENT = 0.4


def warn_if_calibration_shifted(model: onnx.ModelProto, info: ModelInfo, inputs: Sequence[NDArray[np.float32]]) -> str:
    """Say on stderr where calibration images are unlike the training images, as far as the file knows them.

    Returns:
        What was said; empty where nothing was.
    """
    distance = calibration_shift(model, info, inputs)
    if distance is None or distance <= SHIFT:
        return ""
    said = (
        "the calibration images are unlike those that the network was trained on (the output of its first layer "
        f"diverges by {distance:.2f}, above {SHIFT}), so ranges will not fit; give images that it will see"
    )
    print(f"warning: {said}", file=sys.stderr)
    return said


def warn_if_ranges_differ(calibrated: TensorsData, seen: TensorsData, where: str) -> None:
    """Say on stderr where the ranges of activations differ from those on the images that the network will see."""
    difference = range_difference(calibrated, seen)
    if difference > DIFFERENT:
        print(
            f"warning: the ranges of activations on the calibration images and on {where} differ {2**difference:.1f} "
            f"times on average, above {2**DIFFERENT:.1f}; calibrate on images like those that the network will see",
            file=sys.stderr,
        )


def range_difference(first: TensorsData, second: TensorsData) -> float:
    """The mean over activations of |log2| of the ratio of two ranges' widths."""
    widths = [np.array([_width(each[name]) for name in first.keys()]) for each in (first, second)]  # noqa: SIM118
    there = np.minimum(*widths) > 0
    return float(np.abs(np.log2(widths[0][there] / widths[1][there])).mean()) if there.any() else 0.0


def calibration_shift(model: onnx.ModelProto, info: ModelInfo, inputs: Sequence[NDArray[np.float32]]) -> float | None:
    """How unlike the training images others are: the divergence of the first convolution's output, as normal
    distributions, averaged over its channels.

    Args:
        model: an fp32 network.
        info: the metadata of its file.
        inputs: (1, 3, height, width) each.

    Returns:
        The Kullback-Leibler divergence in nats, 0 for the same; None where the file says nothing of its training.
    """
    stem = _until_first_convolution(model)
    if stem is None or info.stem_mean is None or info.stem_std is None:
        return None
    mean, std = np.array(info.stem_mean), np.array(info.stem_std)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(stem.SerializeToString(), options, providers=["CPUExecutionProvider"])
    moments = []
    for image in inputs:
        output = session.run(None, {stem.graph.input[0].name: image})[0].astype(np.float64)
        moments.append((output.mean((0, 2, 3)), np.square(output).mean((0, 2, 3))))
    first, second = np.mean(moments, axis=0)
    if first.shape != mean.shape:
        return None
    least = max(1e-3 * float(np.median(np.square(std))), 1e-12)  # of channels that hardly vary, little can be said
    known = np.maximum(np.square(std), least)
    variance = np.maximum(second - np.square(first), least)
    ratio = variance / known
    return float(np.mean((ratio + np.square(first - mean) / known - 1 - np.log(ratio)) / 2))


def _until_first_convolution(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The nodes up to the first convolution, whose output is the new model's."""
    nodes = list(model.graph.node)
    place = next((index for index, node in enumerate(nodes) if node.op_type == "Conv"), None)
    if place is None:
        return None
    output = onnx.helper.make_tensor_value_info(nodes[place].output[0], onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(
        nodes[: place + 1], "stem", list(model.graph.input), [output], list(model.graph.initializer)
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _width(data: TensorData) -> float:
    """Of a range, which holds 0 in any case: it must be representable."""
    low, high = (float(np.squeeze(value)) for value in data.range_value)
    return max(high, 0.0) - min(low, 0.0)
