from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch

from models import DepthNet, LightDecoder, UpConvDecoder

NETWORKS: dict[str, dict[str, Any]] = {
    "description": {"encoder": "resnet18", "decoder": UpConvDecoder},
    "description, concat": {"encoder": "resnet18", "decoder": partial(UpConvDecoder, skips="concat")},
    "base": {"encoder": "tf_efficientnet_lite0"},
    "small": {"encoder": "mobilenetv4_conv_small"},
    "small, concat, bilinear": {
        "encoder": "mobilenetv4_conv_small",
        "decoder": partial(LightDecoder, skips="concat", upsampling="bilinear"),
    },
    "base, coarse skips": {"encoder": "tf_efficientnet_lite0", "decoder": partial(LightDecoder, finest_skip=16)},
    "base, concat, no skips": {
        "encoder": "tf_efficientnet_lite0",
        "decoder": partial(LightDecoder, skips="concat", finest_skip=32),
    },
    "four levels": {"encoder": "convnext_atto"},
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("output_stride", [2, 4])
def test_every_network_keeps_the_contract(name: str, output_stride: int) -> None:
    torch.manual_seed(0)
    network = DepthNet(**NETWORKS[name], output_stride=output_stride, heads=3)
    image = torch.rand(2, 3, 64, 96)
    scales = network.multiscale(image)
    assert [tuple(depth.shape) for depth in scales] == [
        (2, 1, 64 // stride, 96 // stride) for stride in (output_stride, 2 * output_stride, 4 * output_stride)
    ]
    assert all((depth > network.min_depth).all() and (depth < network.max_depth).all() for depth in scales)
    start = math.sqrt(network.min_depth * network.max_depth)
    assert all(0.5 * start < float(depth.detach().median()) < 2 * start for depth in scales)
    network.eval()
    assert torch.equal(network(image), network.multiscale(image)[0])


def test_full_size_output() -> None:
    assert DepthNet("mobilenetv4_conv_small", output_stride=1)(torch.rand(1, 3, 32, 64)).shape == (1, 1, 32, 64)


def test_every_parameter_of_the_exported_path_is_trained() -> None:
    network = DepthNet("resnet18", decoder=UpConvDecoder)
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_description_is_as_described() -> None:
    decoder = DepthNet("resnet18", decoder=UpConvDecoder).decoder
    ups = [layer for layer in decoder.modules() if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in ups] == [64, 32, 16, 1]
    assert all(layer.kernel_size == (3, 3) and layer.stride == (2, 2) for layer in ups)


@pytest.mark.parametrize(
    ("size", "nearest"), [((190, 640), "192x640"), ((375, 1242), "384x1248"), ((10, 640), "32x640")]
)
def test_illegal_size_names_the_nearest(size: tuple[int, int], nearest: str) -> None:
    network = DepthNet("mobilenetv4_conv_small")
    network.check_size((192, 640))
    with pytest.raises(ValueError, match=f"stride 32; the nearest that is: {nearest}"):
        network.check_size(size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder": "resnet81"}, "timm has no backbone 'resnet81'; close are .*resnet18"),
        ({"min_depth": 3.0, "max_depth": 2.0}, "not 0 < min_depth < max_depth"),
        ({"output_stride": 3}, "output_stride 3 is not a power of two below 32"),
        ({"heads": 5}, "heads 5 is not between 1 and the decoder's 4 levels"),
        ({"decoder": partial(LightDecoder, widths=(32, 16))}, r"output_stride 2 needs 4 widths, \[32, 16\] has 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DepthNet(**({"encoder": "mobilenetv4_conv_small"} | arguments))


def test_skips_above_the_finest_one_do_not_join() -> None:
    network = DepthNet(decoder=partial(LightDecoder, finest_skip=16)).eval()
    features = network.encoder(torch.rand(1, 3, 64, 96))
    expected = network.decoder(features)[0]
    changed = [torch.zeros_like(features[place]) if place < 3 else features[place] for place in range(5)]
    assert torch.equal(network.decoder(changed)[0], expected)
    changed[3] = torch.zeros_like(features[3])
    assert not torch.equal(network.decoder(changed)[0], expected)
