"""A quantized file against its fp32 reference, in figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.agreement import random_images, relative_difference
from deploy.measure.sqnr import Fp32Reference
from tests.helpers.few_layers import write_few_layers


def test_one_tenth_less_is_twenty_decibels(tmp_path: Path) -> None:
    network = OnnxNetwork(write_few_layers(tmp_path / "few.onnx"))
    found = Fp32Reference(network, random_images(network.size)).compare(lambda image: np.float32(0.9) * network(image))
    assert found == pytest.approx((20, 0.1), rel=1e-4)
    assert str(found) == "SQNR of the depth 20.0 dB, mean change 10.00%"
    assert Fp32Reference(network, random_images(network.size)).compare(network).change == 0


def test_a_difference_is_relative_to_the_depth_or_to_the_largest_inverse_depth() -> None:
    expected: Any = np.array([1.0, 4.0])
    assert relative_difference(expected, expected + 1, "depth").tolist() == [1, 0.25]
    assert relative_difference(expected, expected + 1, "inverse_depth").tolist() == [0.25, 0.25]
    assert relative_difference(expected - 1, expected, "depth") == pytest.approx([1 / 3, 1 / 3])  # 0 is no unit
