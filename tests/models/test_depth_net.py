from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from models import DepthNet, LightDecoder, NNConv5Decoder, PyDNet, SubpixelDecoder, UpConvDecoder

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
    "FastDepth": {"encoder": "mobilenetv1_100", "decoder": NNConv5Decoder},
    "FastDepth's decoder on small": {"encoder": "mobilenetv4_conv_small", "decoder": NNConv5Decoder},
    "sub-pixels": {"encoder": "mobilenetv4_conv_small", "decoder": partial(SubpixelDecoder, stride=4)},
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
    assert all((depth > 1).all() and (depth < 100).all() for depth in scales)
    assert all(5 < float(depth.detach().median()) < 20 for depth in scales)
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


def test_a_head_predicts_the_pixels_of_its_own_place() -> None:
    """The channels of a coarse pixel become the finer pixels in it, row by row."""
    network = DepthNet("mobilenetv4_conv_small", decoder=SubpixelDecoder, predicts="inverse_depth").eval()
    head = network.get_submodule("decoder.heads.0")
    assert isinstance(head, torch.nn.Conv2d)
    assert head.bias is not None
    torch.nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.bias.copy_(torch.arange(64.0))
    assert torch.equal(network(torch.rand(1, 3, 64, 96))[0, 0, 8:16, 16:24], torch.arange(64.0).view(8, 8))


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_pydnet_is_as_published() -> None:
    network = PyDNet(heads=3)
    assert parameters(PyDNet()) == 1_971_697  # 1.97 M
    scales = network.multiscale(torch.rand(2, 3, 64, 128))
    assert [tuple(depth.shape) for depth in scales] == [(2, 1, 32, 64), (2, 1, 16, 32), (2, 1, 8, 16)]
    assert all(5 < float(depth.detach().median()) < 20 for depth in scales)
    scales[0].sum().backward()  # type: ignore[no-untyped-call]
    unused = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert unused == {"heads.1.weight", "heads.1.bias", "heads.2.weight", "heads.2.bias"}
    with pytest.raises(ValueError, match="not a multiple of PyDNet's stride 64; the nearest valid size is 128x320"):
        network.check_size((96, 320))
    with pytest.raises(ValueError, match="heads 7 is not between 1 and PyDNet's 6 levels"):
        PyDNet(heads=7)


def test_fastdepth_is_as_published() -> None:
    network = DepthNet("mobilenetv1_100", decoder=NNConv5Decoder, output_stride=1)
    assert parameters(network) == 3_960_929  # 3.96 M
    assert isinstance(network.decoder, NNConv5Decoder)
    levels = list(network.decoder.levels)
    assert [type(level.project).__name__ for level in levels] == ["Identity"] * 5
    assert [level.joins for level in levels] == [False, True, True, True, False]  # at the strides 8, 4 and 2


def test_inverse_depth_is_the_logit_and_has_no_bounds() -> None:
    for network in (DepthNet("mobilenetv4_conv_small", predicts="inverse_depth"), PyDNet(predicts="inverse_depth")):
        assert network.predicts == "inverse_depth"
        head = network.get_submodule("decoder.heads.0" if isinstance(network, DepthNet) else "heads.0")
        assert isinstance(head, torch.nn.Conv2d)
        assert head.bias is not None
        torch.nn.init.constant_(head.bias, -40)
        assert float(network(torch.rand(1, 3, 64, 64)).detach().max()) < -1


@pytest.mark.parametrize(
    ("size", "nearest"),
    [((190, 640), "192x640"), ((375, 1242), "384x1248"), ((10, 640), "32x640"), ((0, 640), "32x640")],
)
def test_illegal_size_names_the_nearest(size: tuple[int, int], nearest: str) -> None:
    network = DepthNet("mobilenetv4_conv_small")
    network.check_size((192, 640))
    with pytest.raises(ValueError, match=f"stride 32; the nearest valid size is {nearest}"):
        network.check_size(size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder": "resnet81"}, "timm has no backbone 'resnet81'; similar names: .*resnet18"),
        ({"min_depth": 3.0, "max_depth": 2.0}, "not 0 < min_depth < max_depth"),
        ({"output_stride": 3}, "output_stride 3 is not a power of two below 32"),
        ({"heads": 5}, "heads 5 is not between 1 and 4, the number of levels of the decoder"),
        ({"decoder": SubpixelDecoder, "output_stride": 32}, "output_stride 32 does not divide 16, the stride of"),
        ({"decoder": partial(LightDecoder, widths=(32, 16))}, r"output_stride 2 needs 4 widths, but \[32, 16\] has 2"),
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
