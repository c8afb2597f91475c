"""Pruning as users call it, and every network that is shipped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml

from deploy import load
from deploy.export.export import disagreement
from deploy.export.to_onnx import to_onnx
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.macs import count_macs
from deploy.pruning.structured import changed_channels, narrow_to, narrower
from lightning_app.checkpoints import Checkpoint
from models import DepthNet, LightDecoder, NNConv5Decoder, PyDNet, SubpixelDecoder, UpConvDecoder, with_pruned_channels
from models.pruned import network_channels
from tests.conftest import EXPERIMENTS, Cli
from tests.helpers.torch_macs import macs_in_torch

BASE = EXPERIMENTS / "base.yaml"
SIZE = (64, 128)
NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    "small": partial(DepthNet, "mobilenetv4_conv_small", decoder=SubpixelDecoder),
    "base": partial(DepthNet, decoder=SubpixelDecoder),
    "description": partial(DepthNet, "resnet18", decoder=UpConvDecoder, heads=3),
    "description, concat": partial(DepthNet, "resnet18", decoder=partial(UpConvDecoder, skips="concat")),
    "FastDepth": partial(DepthNet, "mobilenetv1_100", decoder=NNConv5Decoder, output_stride=1),
    "PyDNet": partial(PyDNet, heads=2),
    "light": partial(DepthNet, "mobilenetv4_conv_small", decoder=LightDecoder),
    "light, concat": partial(DepthNet, "mobilenetv4_conv_small", decoder=partial(LightDecoder, skips="concat")),
}


def trained(name: str) -> torch.nn.Module:
    """With weights of different sizes, also where BatchNorm starts at 0."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return network.eval().requires_grad_(False)


def macs(network: torch.nn.Module, size: tuple[int, int] = SIZE) -> int:
    return count_macs(to_onnx(network, size))


QUICK = ("small",)
CASES = [*((name, False) for name in NETWORKS), ("small", True), ("PyDNet", True)]


@pytest.mark.parametrize(
    ("name", "across_layers"),
    [case if case[0] in QUICK and not case[1] else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
)
def test_every_network_gets_narrower_and_is_built_anew(name: str, across_layers: bool) -> None:
    network = trained(name)
    pruned = narrower(network, SIZE, 16, across_layers)
    image = torch.rand(1, 3, *SIZE)
    depth = pruned(image)
    assert depth.shape == network(image).shape
    assert torch.isfinite(depth).all()
    assert 0.1 < macs(pruned) / macs(network) < 0.75
    channels = changed_channels(network, pruned)
    if "concat" not in name:  # there, what is joined is a multiple of 8
        heads = {key for key in channels if "heads" in key}
        assert all(shape[1] % 8 == 0 or shape[1] < 8 for key, shape in channels.items() if key not in heads)
    built = with_pruned_channels(NETWORKS[name](), channels).eval()
    built.load_state_dict(pruned.state_dict())
    assert torch.equal(built(image), depth)
    before, after = network_channels(network), network_channels(pruned)
    assert all(before[key][1] == after[key][1] for key in before if "heads" in key)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_pruned_network_exports(name: str, tmp_path: Path) -> None:
    pruned = narrower(trained(name), SIZE, 20)
    model = to_onnx(pruned, SIZE)
    onnx.save(model, tmp_path / "n.onnx")
    assert disagreement(pruned, OnnxNetwork(tmp_path / "n.onnx")) < 1e-4
    # Only in torch the heads of training are computed, too.
    assert count_macs(model) == pytest.approx(macs_in_torch(pruned, SIZE), rel=0.01)


@pytest.mark.slow
def test_the_widest_network_below_the_target_is_taken() -> None:
    network = trained("PyDNet")
    whole = macs(network)
    shares = []

    def share(candidate: torch.nn.Module) -> float:
        shares.append(macs(candidate) / whole)
        return shares[-1]

    reached = macs(narrow_to(network, SIZE, 0.5, share)) / whole
    assert reached == max(each for each in shares if each <= 0.5)
    with pytest.raises(
        ValueError, match=r"pruning does not reach 0.001: with 96% of the channels removed it reaches 0\.0"
    ):
        narrow_to(network, SIZE, 0.001, share)
    assert macs(network) == whole


@pytest.mark.parametrize(
    ("encoder", "message"),
    [("mobileone_s0", r"\(MobileOneBlock\) is fused at export"), ("convnext_atto", "cannot be pruned: only conv")],
)
def test_networks_that_cannot_be_pruned_are_refused(encoder: str, message: str) -> None:
    network = DepthNet(encoder)
    with pytest.raises(ValueError, match=message):
        changed_channels(network, narrower(network, SIZE, 2))


OPEN = """
import sys
sys.modules["torch_pruning"] = None
import numpy as np
from deploy import load
np.save(sys.argv[2], load(sys.argv[1])(np.full((64, 96, 3), 99, np.uint8)))
"""


@pytest.mark.slow
def test_a_pruned_checkpoint_opens_alone(fitted: Path, tmp_path: Path, cli: Cli) -> None:
    checkpoint, output = fitted / "checkpoints" / "best.ckpt", tmp_path / "a.ckpt"
    result = cli("prune", checkpoint, "--macs", "0.6", "--output", output)
    assert result.status == 0, result.err
    assert "channels, encoder.backbone.blocks.2" in result.out
    subprocess.run([sys.executable, "-c", OPEN, output, tmp_path / "depth.npy"], check=True, cwd=EXPERIMENTS.parent)
    depth = load(output)(np.full((64, 96, 3), 99, np.uint8))
    np.testing.assert_allclose(np.load(tmp_path / "depth.npy"), depth, rtol=1e-6)
    before, after = (macs(Checkpoint.open(path).network, (64, 96)) for path in (checkpoint, output))
    assert after <= 0.6 * before
    resumed = cli(
        "fit", "-c", BASE, "-c", fitted.parents[1] / "tiny.yaml", "-c", tmp_path / "a.yaml", "--ckpt_path", output
    )
    assert resumed.status == 2
    assert "has weights but no run to resume; to start from its weights give --model.weights" in resumed.err
    refused = cli("prune", checkpoint, "--macs", "0.6", "--output", output)
    assert refused.status == 2
    assert "exists already" in refused.err
    content = torch.load(output, weights_only=True)
    assert "optimizer_states" not in content
    assert (
        yaml.safe_load(content["config"])["model"]["init_args"]["network"]["class_path"]
        == "models.with_pruned_channels"
    )


@pytest.mark.slow
def test_a_pruned_checkpoint_is_pruned_again_and_becomes_int8(
    fitted: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    checkpoint = fitted / "checkpoints" / "best.ckpt"
    calls = (
        ("prune", checkpoint, "--macs", "0.8", "--output", tmp_path / "a.ckpt"),
        ("prune", tmp_path / "a.ckpt", "--macs", "0.8", "--global", "--output", tmp_path / "b.ckpt"),
        ("export", tmp_path / "b.ckpt"),
        ("quantize", tmp_path / "b.onnx", data_root / "photos"),
    )
    for call in calls:
        result = cli(*call)
        assert result.status == 0, result.err
    paths = (checkpoint, tmp_path / "a.ckpt", tmp_path / "b.ckpt")
    counted = [macs(Checkpoint.open(path).network, (64, 96)) for path in paths]
    assert counted[1] <= 0.8 * counted[0]
    assert counted[2] <= 0.8 * counted[1]
    assert (tmp_path / "b-int8.onnx").is_file()


@pytest.mark.slow
def test_zeros_are_set_and_what_they_buy_is_said(fitted: Path, tmp_path: Path, cli: Cli) -> None:
    checkpoint, output = fitted / "checkpoints" / "best.ckpt", tmp_path / "z.ckpt"
    result = cli("prune", checkpoint, "--unstructured", "0.8", "--output", output)
    assert result.status == 0, result.err
    assert "80.0% of " in result.out
    assert "MB: a smaller download" in result.out
    before, after = Checkpoint.open(checkpoint).network, Checkpoint.open(output).network
    assert network_channels(before) == network_channels(after)
    weights = [layer.weight for layer in after.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert 0.75 < sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights) <= 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one target: --macs or --latency"),
        (("--macs", "0.5", "--latency", "0.5"), "give one target"),
        (("--macs", "1.5"), "1.5 is not a share between 0 and 1"),
        (("--unstructured", "80"), "80.0 is not a share between 0 and 1"),
        (("--macs", "0.5", "--unstructured", "0.5"), "--unstructured cannot be combined with --macs or --latency"),
        (("--latency", "2", "-c", str(BASE)), "2.0 is not a share between 0 and 1"),
        (("--macs", "0.5", "--step", "3"), "--step 3: applies to fine-tuning only; give an experiment with -c"),
        (("--unstructured", "0.8", "-c", str(BASE)), "fine-tuning would change the zero weights"),
    ],
)
def test_wrong_use_is_one_line(fitted: Path, cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    result = cli("prune", fitted / "checkpoints" / "best.ckpt", *arguments)
    assert result.status == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not (fitted / "checkpoints" / "best-pruned.ckpt").exists()


def test_missing_torch_pruning_is_said(fitted: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    result = cli("prune", fitted / "checkpoints" / "best.ckpt", "--macs", "0.5")
    assert result.status == 2
    assert "torch-pruning is not installed: pip install 'torch-pruning>=" in result.err
