"""Fine-tuning with fake quantization: what is rounded, and that nothing of it stays in the checkpoint."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from torch import Tensor, nn

from deploy.export.to_onnx import to_onnx
from deploy.quantization.qat import FakeQuantize
from deploy.quantization.quantize import write_int8
from lightning_app.checkpoints import Checkpoint
from lightning_app.training.depth_module import DepthModule
from losses import SILog
from models import DepthNet, LightDecoder, UpConvDecoder
from tests.conftest import EXPERIMENTS, Cli

BASE = EXPERIMENTS / "base.yaml"
QAT = ("--trainer.callbacks+=deploy.quantization.FakeQuantize", "--trainer.callbacks.calibration_steps", 1)


def rounded(network: nn.Module, **settings: Any) -> tuple[FakeQuantize, Any, Any]:
    """A callback on a network, with what Lightning hands it."""
    callback, module = FakeQuantize(**settings), DepthModule(network, SILog())
    trainer: Any = SimpleNamespace(global_step=0, estimated_stepping_batches=10)
    callback.on_fit_start(trainer, module)
    return callback, trainer, module


def network_of(encoder: str, decoder: Any) -> DepthNet:
    """With statistics, and branches and heads that matter."""
    torch.manual_seed(0)
    network = DepthNet(encoder, decoder=decoder)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, -1.5, 1.5)
    head = network.decoder.heads[0]
    assert isinstance(head, nn.Conv2d | nn.ConvTranspose2d)
    nn.init.normal_(head.weight, std=0.1)
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(4, 3, 64, 96))
    return network.eval().to(memory_format=torch.channels_last)


# Depthwise convolutions and additions; timm's Conv2dSame; dense ones and transposed ones.
@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        ("mobilenetv4_conv_small", LightDecoder),
        pytest.param("tf_mobilenetv3_small_minimal_100", LightDecoder, marks=pytest.mark.slow),
        pytest.param("resnet18", UpConvDecoder, marks=pytest.mark.slow),
    ],
)
def test_rounds_what_onnx_runtime_quantizes(encoder: str, decoder: Any, tmp_path: Path) -> None:
    network, images = network_of(encoder, decoder), torch.rand(4, 3, 64, 96)
    onnx.save(to_onnx(network, (64, 96)), tmp_path / "float.onnx")
    write_int8(tmp_path / "float.onnx", iter(images.numpy()[:, None]), tmp_path / "int8.onnx")
    # Without fusion the layers run in float: int8 kernels of CPUs without VNNI saturate, which is not rounding.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    shipped = onnxruntime.InferenceSession(tmp_path / "int8.onnx", options)
    int8 = np.concatenate([shipped.run(None, {"image": image[None]})[0] for image in images.numpy()])
    callback, trainer, module = rounded(network, calibration_steps=1)
    with torch.no_grad():
        callback.on_train_batch_start(trainer, module, {}, 0)
        exact = network(images).numpy()  # and the ranges are those of these images, as the file's are
        trainer.global_step = 1
        callback.on_validation_start(trainer, module)
        fake = network(images).numpy()
    ours, theirs = (fake - exact).ravel(), (int8 - exact).ravel()
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=0.2)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.5
    callback.on_fit_end(trainer, module)
    with torch.no_grad():
        assert np.array_equal(network(images).numpy(), exact)


def test_every_layer_but_the_heads_gets_a_gradient_through_the_rounding() -> None:
    network = DepthNet("mobilenetv4_conv_small", heads=2)
    callback, trainer, module = rounded(network, calibration_steps=1)
    for trainer.global_step in (0, 1):
        callback.on_train_batch_start(trainer, module, {}, 0)
        network.zero_grad()
        torch.stack([each.log().mean() for each in network.multiscale(torch.rand(2, 3, 64, 96))]).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(isinstance(each, Tensor) and each.isfinite().all() for each in gradients)


def test_stem_and_heads_are_not_rounded() -> None:
    network = network_of("mobilenetv4_conv_small", LightDecoder)
    floats = (network.encoder.backbone.conv_stem, network.decoder.heads[0])  # type: ignore[operator, union-attr, index]
    assert rounded(network)[0]._rounding.float_nodes == {id(layer.weight) for layer in floats}  # type: ignore[union-attr]


def test_a_network_without_heads_is_refused() -> None:
    network = network_of("mobilenetv4_conv_small", LightDecoder)
    network.decoder.outputs = network.decoder._modules.pop("heads")  # type: ignore[union-attr, assignment]
    with pytest.raises(ValueError, match="DepthNet has no module named heads"):
        rounded(network)


def test_batchnorm_commutes_with_the_rounding_of_weights() -> None:
    network = network_of("mobilenetv4_conv_small", LightDecoder)
    rounding = rounded(network)[0]._rounding
    rounding.rounds = True
    weight, factor = torch.randn(8, 4, 3, 3), torch.randn(8, 1, 1, 1)
    assert torch.allclose(rounding._weight(weight * factor, 0), rounding._weight(weight, 0) * factor, atol=1e-6)


@pytest.mark.slow
def test_checkpoint_is_an_ordinary_one(fitted: Path, tmp_path: Path, cli: Cli) -> None:
    run, start = tmp_path / "qat", fitted / "checkpoints" / "last.ckpt"
    call = ("fit", "-c", BASE, "-c", tmp_path / "tiny.yaml", "--model.weights", start)
    result = cli(*call, *QAT, "--trainer.default_root_dir", run)
    assert result.status == 0, result.err
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert list(best["state_dict"]) == list(torch.load(start, weights_only=True)["state_dict"])
    network = Checkpoint.open(run / "checkpoints" / "best.ckpt").network
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
    result = cli("export", run / "checkpoints" / "best.ckpt", "--output", run / "depth.onnx")
    assert result.status == 0, result.err


@pytest.mark.slow
def test_resumed_run_ends_where_an_unbroken_one_does(data_root: Path, fitted: Path, tmp_path: Path, cli: Cli) -> None:
    call = ("fit", "-c", BASE, "-c", tmp_path / "tiny.yaml", "--trainer.max_steps", 8)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert cli(*call, *QAT, "--trainer.default_root_dir", whole).status == 0
    stop = "--trainer.callbacks+=tests.lightning_app.training.test_fit.StopAt"
    assert cli(*call, *QAT, stop, "--trainer.default_root_dir", broken).status == 0
    stopped = broken / "checkpoints" / "stopped.ckpt"
    assert cli(*call, *QAT, "--trainer.default_root_dir", broken, "--ckpt_path", stopped).status == 0
    one, two = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, broken))
    assert all(torch.equal(value, two["state_dict"][key]) for key, value in one["state_dict"].items())
    ranges = [each["callbacks"]["FakeQuantize"]["ranges"] for each in (one, two)]
    assert ranges[0].keys() == ranges[1].keys()
    assert len(ranges[0]) > 50
    assert all(torch.equal(value, ranges[1][key]) for key, value in ranges[0].items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--trainer.callbacks.calibration_steps", 0), "calibration_steps must be at least 1, not 0"),
        (("--trainer.callbacks.freeze", 1.5), "must be in (0, 1], not 1.5"),
        (("--model.compile", "true"), "leave out --model.compile"),
        (
            ("--model.network.encoder", "mobileone_s0"),
            "does not support encoder.backbone.stem, whose branches are fused at export",
        ),
    ],
)
def test_wrong_use_is_one_line(options: tuple[Any, ...], message: str, fitted: Path, tmp_path: Path, cli: Cli) -> None:
    call = ("fit", "-c", BASE, "-c", tmp_path / "tiny.yaml", "--trainer.default_root_dir", tmp_path / "run")
    result = cli(*call, *QAT[:1], *options)
    assert result.status == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_the_control_differs_in_the_callback_alone() -> None:
    qat, control = (yaml.safe_load((EXPERIMENTS / "int8" / f"{name}.yaml").read_text()) for name in ("qat", "control"))
    assert qat["trainer"].pop("callbacks+") == [{"class_path": "deploy.quantization.FakeQuantize"}]
    assert qat == control
