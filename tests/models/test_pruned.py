from __future__ import annotations

import pytest
import torch

from models import DepthNet, UpConvDecoder, with_pruned_channels
from models.pruned import network_channels

CHANNELS = {
    "encoder.backbone.layer4.1.conv1": [512, 256, 1],
    "encoder.backbone.layer4.1.bn1": [256, 256, 1],
    "encoder.backbone.layer4.1.conv2": [256, 512, 1],
    "decoder.levels.2.up.0": [32, 8, 1],
    "decoder.levels.2.up.1": [8, 8, 1],
    "decoder.levels.2.join.project": [64, 8, 1],
    "decoder.heads.0": [8, 1, 1],
}


def description() -> torch.nn.Module:
    return DepthNet("resnet18", decoder=UpConvDecoder)


def test_a_narrowed_network_is_the_network_with_fewer_channels() -> None:
    wide = description()
    network = with_pruned_channels(description(), CHANNELS)
    assert isinstance(network, DepthNet)
    assert network.state_dict().keys() == wide.state_dict().keys()
    found = network_channels(network)
    assert {name: found[name] for name in CHANNELS} == CHANNELS
    assert {name for name, shape in network_channels(wide).items() if shape != found[name]} == set(CHANNELS)
    depth = network(torch.rand(2, 3, 64, 96))
    assert depth.shape == (2, 1, 32, 48)
    depth.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_depthwise_convolutions_keep_one_channel_a_group() -> None:
    network = with_pruned_channels(torch.nn.Sequential(torch.nn.Conv2d(32, 32, 5, groups=32)), {"0": [24, 24, 24]})
    assert network(torch.rand(1, 24, 8, 8)).shape == (1, 24, 4, 4)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"encoder.stem": [3, 8, 1]}, "DepthNet has no convolution, linear layer or BatchNorm 'encoder.stem'"),
        ({"decoder.levels.0": [3, 8, 1]}, "BatchNorm 'decoder.levels.0'"),
        ({"decoder.heads.0": [99, 1, 1]}, r"heads.0 cannot be narrowed from \[16, 1, 1\] to \[99, 1, 1\]"),
        ({"decoder.heads.0": [8, 0, 1]}, r"to \[8, 0, 1\] \(inputs, outputs, groups\)"),
        ({"decoder.heads.0": [8]}, r"to \[8\] \(inputs, outputs, groups\)"),
    ],
)
def test_channels_that_do_not_fit_are_refused(channels: dict[str, list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_pruned_channels(description(), channels)
