"""Multiply-accumulates of an ONNX file are those that torch counts in the network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from torch import nn

from deploy.export.to_onnx import to_onnx
from deploy.measure.macs import count_macs
from deploy.pruning.structured import narrower
from models import DepthNet, PyDNet, UpConvDecoder
from tests.deploy.pruning.test_prune import NETWORKS, SIZE, trained
from tests.helpers.torch_macs import macs_in_torch

# With one head: those of training are no part of the file.
ONE_HEAD: dict[str, Callable[[], nn.Module]] = {
    "base": NETWORKS["base"],
    "small": NETWORKS["small"],
    "ResNet18": partial(DepthNet, "resnet18", decoder=UpConvDecoder),
    "PyDNet": PyDNet,
    "FastDepth": NETWORKS["FastDepth"],
    "pruned": lambda: narrower(trained("small"), SIZE, 16),
}
QUICK = ("small",)


@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in ONE_HEAD]
)
def test_the_file_has_the_operations_that_torch_counts(name: str) -> None:
    network = ONE_HEAD[name]().eval()
    assert count_macs(to_onnx(network, SIZE)) == macs_in_torch(network, SIZE)
