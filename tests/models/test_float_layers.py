"""Which layers stay in float in int8, by name."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from models import DepthNet, NNConv5Decoder, PyDNet, SubpixelDecoder, UpConvDecoder
from models.encoder import fuse
from models.float_layers import float_layers, head_layers

STEM = "encoder.backbone.conv_stem"
CASES = [
    (partial(DepthNet, decoder=SubpixelDecoder), [STEM, "decoder.heads.0"]),
    (partial(DepthNet, "mobilenetv4_conv_small", heads=2), [STEM, "decoder.heads.0", "decoder.heads.1"]),
    (partial(DepthNet, "resnet18", decoder=UpConvDecoder), ["decoder.heads.0"]),  # its stem is 7x7
    (partial(PyDNet, heads=2), ["levels.0.0", "heads.0", "heads.1"]),
    (partial(DepthNet, "mobilenetv1_100", decoder=NNConv5Decoder, output_stride=1), [STEM, "decoder.heads.0"]),
]


@pytest.mark.parametrize(("network", "names"), CASES)
def test_a_small_stem_and_the_heads_stay_in_float(network: Any, names: list[str]) -> None:
    built = network()
    assert float_layers(built) == names
    assert head_layers(built) == [name for name in names if "heads" in name]


def test_a_fused_stem_is_named_as_it_is_exported() -> None:
    assert float_layers(fuse(DepthNet("mobileone_s0"))) == ["encoder.backbone.stem.reparam_conv", "decoder.heads.0"]


def test_a_network_without_heads_names_none() -> None:
    assert float_layers(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 1, 1))) == []


@pytest.mark.parametrize("network", [DepthNet("mobilenetv4_conv_small", heads=3), PyDNet(heads=3)])
def test_heads_are_what_no_convolution_follows(network: Any) -> None:
    predictions = network.eval().multiscale(torch.zeros(1, 3, 64, 128))
    addresses = {last_convolution(each.grad_fn)._saved_weight.data_ptr() for each in predictions}
    heads = [network.get_submodule(name).weight.data_ptr() for name in head_layers(network)]
    assert len(heads) == 3
    assert set(heads) == addresses


def last_convolution(node: Any) -> Any:
    nodes = [node]
    for each in nodes:  # breadth first
        if each.name().startswith("Convolution"):
            return each
        nodes += [parent for parent, _ in each.next_functions if parent is not None]
    raise AssertionError("a prediction of the network comes from no convolution")
