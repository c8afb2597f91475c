"""Inverse depth is resized in one way in torch, in numpy and in an ONNX file."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from deploy.export.camera_input import with_camera
from deploy.inference.images import to_image_size
from lightning_app.evaluation.protocols import PROTOCOLS, Protocol
from losses.masked import resize, resize_depth

OWN = (24, 40)
SIZES = [(48, 80), (71, 133), (10, 17), (24, 25), OWN]  # twice as large, larger, smaller, narrower, the same
BOUND = 5e-6  # of the largest inverse depth, 1; neighbours of noise differ by up to as much


def by_hand(inverse: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Bilinear between pixel centres: a pixel i of the result lies at (i + 0.5) * own / size - 0.5."""
    for axis, new in enumerate(size):
        own = inverse.shape[axis]
        place = ((np.arange(new) + 0.5) * own / new - 0.5).clip(0, own - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, own - 1)
        share = np.expand_dims(place - low, 1 - axis)
        inverse = inverse.take(low, axis) * (1 - share) + inverse.take(high, axis) * share
    return inverse


def in_onnx(prediction: NDArray[np.float32], size: tuple[int, int], predicts: str) -> Any:
    """By the graph around a network that gives this prediction for every image."""
    helper = onnx.helper
    nodes = [
        helper.make_node("ReduceSum", ["image"], ["sum"]),  # (1, 1, 1, 1)
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "prediction"], ["depth"]),
    ]
    constants = {"zero": np.zeros(1, np.float32), "prediction": prediction[None, None]}
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("image", 1, (1, 3, 32, 32))],
        [helper.make_tensor_value_info("depth", 1, (1, 1, *prediction.shape))],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"predicts": predicts})
    content = with_camera(model, size).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": np.zeros((*size, 3), np.uint8)})[0]


@pytest.mark.parametrize("predicts", ["depth", "inverse_depth"])
@pytest.mark.parametrize("size", SIZES)
def test_torch_numpy_and_onnx_agree(size: tuple[int, int], predicts: str) -> None:
    inverse = np.random.default_rng(0).uniform(0.0125, 1, OWN).astype(np.float32)
    given = np.float32(1) / inverse if predicts == "depth" else inverse
    expected = by_hand(inverse.astype(np.float64), size)
    in_torch = (resize_depth if predicts == "depth" else resize)(torch.from_numpy(given)[None, None], size)[0, 0]
    for found in (in_torch.numpy(), to_image_size(given, size, predicts), in_onnx(given, size, predicts)):
        assert found.dtype == np.float32
        np.testing.assert_allclose(1 / found if predicts == "depth" else found, expected, rtol=0, atol=BOUND)


@pytest.mark.parametrize("size", SIZES)
def test_protocols_resize_alike(size: tuple[int, int]) -> None:
    inverse = np.random.default_rng(0).uniform(0.0125, 1, OWN).astype(np.float32)
    protocol = PROTOCOLS["kitti-eigen"]
    assert isinstance(protocol, Protocol)
    found = protocol.to_truth(torch.from_numpy(inverse), torch.ones(size), (0, size[0], 0, size[1]))
    np.testing.assert_allclose(found.numpy(), by_hand(inverse.astype(np.float64), size), rtol=0, atol=BOUND)
