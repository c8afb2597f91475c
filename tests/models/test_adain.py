from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models import AdaIN, Encoder
from models.adain import channel_statistics, renormalise
from tests.models.test_image_style import images


def test_renormalised_features_have_the_style_s_statistics() -> None:
    features, style = torch.randn(2, 5, 8, 12) * 3 + 1, torch.randn(2, 5, 6, 7) * 0.5 - 2
    whole = renormalise(features, channel_statistics(style), torch.ones(2))
    torch.testing.assert_close(channel_statistics(whole), channel_statistics(style), atol=1e-4, rtol=1e-4)
    assert torch.equal(renormalise(features, channel_statistics(style), torch.zeros(2)), features)
    alone = renormalise(features, channel_statistics(style), torch.tensor([0.0, 1.0]))
    assert torch.equal(alone[0], features[0])
    torch.testing.assert_close(alone[1], whole[1])


@pytest.mark.parametrize(
    ("encoder", "stride", "levels"), [("tf_efficientnet_lite0", 4, 2), ("tf_efficientnet_lite0", 8, 3), ("vgg19", 8, 4)]
)
@pytest.mark.parametrize("size", [(64, 96), (75, 93)])
def test_any_size_comes_back(encoder: str, stride: int, levels: int, size: tuple[int, int]) -> None:
    network = AdaIN(encoder, "none", stride=stride, width=4).eval()
    content, style = images(0, size), images(1)
    assert len(network.encode(content)) == levels
    result = network(content, network.statistics(style), torch.ones(2))
    assert result.shape == content.shape
    assert 0 <= result.min() <= result.max() <= 1


def test_a_size_that_does_not_divide_moves_no_pixel() -> None:
    """What is painted of a part of an image lies where it lies in what is painted of the whole."""
    torch.manual_seed(0)
    network = AdaIN("tf_efficientnet_lite0", "none", width=4).eval()
    whole = images(0, (192, 128))
    statistics = network.statistics(images(1))

    def paint(image: Tensor) -> Tensor:
        # without the content's own statistics, which differ from part to part
        features = network.encode(image)[-1] * statistics[:, 1, :, None, None]
        return network.decode(features, (image.shape[-2], image.shape[-1]))

    expected = paint(whole)[..., :130, :90]
    assert expected.std() > 1e-4
    for rows, columns in ((160, 128), (159, 127), (158, 126), (157, 125)):
        found = paint(whole[..., :rows, :columns])[..., :130, :90]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_encoder_is_frozen_and_ends_where_it_is_read() -> None:
    network = AdaIN("tf_efficientnet_lite0", "none").train()
    assert not network.encoder.training
    assert not any(parameter.requires_grad for parameter in network.encoder.parameters())
    whole = Encoder("tf_efficientnet_lite0")
    assert [info.stride for info in network.encoder.features] == [2, 4]
    assert sum(p.numel() for p in network.encoder.parameters()) < 0.05 * sum(p.numel() for p in whole.parameters())


def test_features_are_those_of_the_whole_backbone() -> None:
    whole, part = Encoder("tf_efficientnet_lite0", "pypi"), Encoder("tf_efficientnet_lite0", "pypi", deepest=8)
    whole.load_pretrained()
    part.load_pretrained()
    image = images(0)
    for one, two in zip(whole.eval()(image), part.eval()(image), strict=False):
        assert torch.equal(one, two)


def test_a_stride_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no feature map of stride 1; its strides are \[2, 4, 8, 16, 32\]"):
        AdaIN("tf_efficientnet_lite0", "none", stride=1)
    with pytest.raises(ValueError, match="too small for stride 8: each side needs 16 px"):
        AdaIN("tf_efficientnet_lite0", "none", stride=8).check_size((12, 640))
