"""Difference of calibration images from training and validation images. Does not import torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import TensorData, TensorsData

from deploy.inference.model_info import ModelInfo

# Threshold of the divergence in nats. On five networks, images from the training domain are below 0.09, photographs of
# other places below 0.25 and mostly below 0.12, noise above 0.3, dark or blank frames above 1.3.
SHIFT = 0.2
# Threshold of the mean log2 ratio. Photographs of one domain are below 0.2, noise and dark frames above 0.3.
DIFFERENT = 0.4


def warn_if_calibration_shifted(model: onnx.ModelProto, info: ModelInfo, inputs: Sequence[NDArray[np.float32]]) -> str:
    """Print a warning if the calibration images differ from the training images.

    Args:
        model: fp32 network.
        info: metadata of the file, with statistics of the training images.
        inputs: calibration images, (1, 3, height, width) each.

    Returns:
        The warning; empty if there is none or if the file has no statistics.
    """
    distance = calibration_shift(model, info, inputs)
    if distance is None or distance <= SHIFT:
        return ""
    # This text is stored in the metadata of the quantized file.
    warning = (
        "the calibration images are unlike those that the network was trained on (the output of its first layer "
        f"diverges by {distance:.2f}, above {SHIFT}), so ranges will not fit; give images that it will see"
    )
    print(f"warning: {warning}", file=sys.stderr)
    return warning


def warn_if_ranges_differ(calibrated: TensorsData, seen: TensorsData, where: str) -> None:
    """Print a warning if the activation ranges on calibration images differ from those on other images.

    Args:
        calibrated: ranges on the calibration images.
        seen: ranges on images of the target domain.
        where: name of the images of the target domain.
    """
    difference = range_difference(calibrated, seen)
    if difference > DIFFERENT:
        print(
            f"warning: the activation ranges on the calibration images and on {where} differ by a factor of "
            f"{2**difference:.1f} on average, above {2**DIFFERENT:.1f}; use calibration images from the target domain",
            file=sys.stderr,
        )


def range_difference(first: TensorsData, second: TensorsData) -> float:
    """Mean absolute log2 ratio of the range widths over all activations."""
    widths = [np.array([_width(each[name]) for name in first.keys()]) for each in (first, second)]  # noqa: SIM118
    there = np.minimum(*widths) > 0
    return float(np.abs(np.log2(widths[0][there] / widths[1][there])).mean()) if there.any() else 0.0


def calibration_shift(model: onnx.ModelProto, info: ModelInfo, inputs: Sequence[NDArray[np.float32]]) -> float | None:
    """Measure the difference of images from the training images.

    The output of the first convolution is modelled as one normal distribution per channel. The result is the
    Kullback-Leibler divergence from the training statistics, averaged over channels.

    Args:
        model: fp32 network.
        info: metadata of the file, with statistics of the training images.
        inputs: images, (1, 3, height, width) each.

    Returns:
        Divergence in nats, 0 for equal statistics; None if the file has no statistics.
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
    least = max(
        1e-3 * float(np.median(np.square(std))), 1e-12
    )  # channels of very small variance would dominate the mean
    known = np.maximum(np.square(std), least)
    variance = np.maximum(second - np.square(first), least)
    ratio = variance / known
    return float(np.mean((ratio + np.square(first - mean) / known - 1 - np.log(ratio)) / 2))


def _until_first_convolution(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Extract the model up to and including the first convolution; None if there is no convolution."""
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
    """Width of a range extended to include 0, which must be representable."""
    low, high = (float(np.squeeze(value)) for value in data.range_value)
    return max(high, 0.0) - min(low, 0.0)
