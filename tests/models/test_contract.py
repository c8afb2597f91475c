"""Networks that derive from no class of ours: accepted with the members of the contract, else the missing one named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_app.training import DepthModule
from losses import SILog
from models import DepthNet, DepthNetwork, PyDNet
from models.contract import require_depth_network
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

MEMBERS: dict[str, Any] = {
    "forward": lambda self, image: self.multiscale(image)[0],
    "multiscale": lambda self, image: (1 + image.mean(1, keepdim=True),),
    "predicts": "depth",
    "check_size": lambda self, size: None,
    "load_pretrained": lambda self: None,
}


class WithoutMultiscale(nn.Module):
    """As a user may write one."""

    predicts = "depth"

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(1, keepdim=True)


class WithoutHeads(nn.Module):
    """A decoder."""

    def __init__(self, features: Any, output_stride: int, heads: int) -> None:
        super().__init__()

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return features


def test_a_network_needs_the_members_alone() -> None:
    network = type("Own", (nn.Module,), MEMBERS)()
    assert require_depth_network(network) is network
    module = DepthModule(network, SILog())
    image = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(module(image), 1 + image.mean(1, keepdim=True))


@pytest.mark.parametrize("member", MEMBERS)
def test_a_missing_member_is_named(member: str) -> None:
    network = type("Own", (nn.Module,), {key: value for key, value in MEMBERS.items() if key != member})()
    with pytest.raises(ValueError, match=f"^Own is not a DepthNetwork: it has no '{member}'; models.contract.DepthNet"):
        DepthModule(network, SILog())


def test_unknown_predicts_is_refused() -> None:
    network = type("Own", (nn.Module,), MEMBERS | {"predicts": "disparity"})()
    with pytest.raises(ValueError, match="Own predicts 'disparity'; supported are depth, inverse_depth"):
        require_depth_network(network)


def test_a_decoder_without_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="WithoutHeads is not a Decoder: it has no 'heads'"):
        DepthNet("mobilenetv4_conv_small", decoder=WithoutHeads)


def test_an_incomplete_child_cannot_be_built() -> None:
    incomplete: Any = type("Incomplete", (DepthNetwork,), {"predicts": "depth"})
    with pytest.raises(TypeError, match="abstract"):
        incomplete()


@pytest.mark.parametrize("network", [DepthNet("mobilenetv4_conv_small"), PyDNet()])
def test_ours_fulfil_it(network: nn.Module) -> None:
    assert isinstance(network, DepthNetwork)
    assert require_depth_network(network) is network


def test_the_command_line_says_it_in_one_line(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    fit = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", tiny_yaml(tmp_path / "tiny.yaml"))
    result = cli(*fit, "--model.network", f"{__name__}.WithoutMultiscale", "--trainer.default_root_dir", tmp_path / "r")
    assert result.status == 2
    (line,) = [each for each in result.err.splitlines() if each]
    assert "WithoutMultiscale is not a DepthNetwork: it has no 'multiscale'" in line
