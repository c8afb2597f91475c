"""What networks cost, alone and beside their error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from deploy.benchmark.network_cost import costs, reset_zero_init_batchnorm
from deploy.benchmark.pareto_front import on_front
from models import DepthNet
from tests.conftest import Cli


def test_front_holds_what_nothing_else_beats() -> None:
    assert on_front([1, 2, 3, 3], [0.3, 0.2, 0.2, 0.1]) == [True, True, False, True]
    assert on_front([1, 1], [0.1, 0.1]) == [True, True]


def write_result(folder: Path, checkpoint: Path, protocol: str, names: tuple[str, ...]) -> None:
    """What `pocketdepth compare` leaves, of one checkpoint under several names."""
    results = {}
    for place, name in enumerate(names):
        score = {"abs_rel": {"mean": 0.3, "seeds": [0.2 + 0.1 * place, 0.4]}, "delta1": {"mean": 0.5, "seeds": [0.5]}}
        results[name] = {protocol: score}
        if name != "mean depth":
            (folder / name / "0" / "checkpoints").mkdir(parents=True)
            shutil.copy(checkpoint, folder / name / "0" / "checkpoints" / "best.ckpt")
    (folder / "val.json").write_text(json.dumps({"frames": ["a", "b", "c"], "results": results}))


@pytest.mark.slow
def test_error_beside_latency(fitted: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    write_result(tmp_path / "streets", checkpoint, "kitti-eigen", ("one", "two", "mean depth"))
    write_result(tmp_path / "kitchen", checkpoint, "nyu-eigen", ("two", "mean depth"))
    call = ("pareto", tmp_path / "streets", tmp_path / "kitchen", "--images", data_root / "photos", "--runs", 2)
    result = cli(*call, "--output", tmp_path / "out")
    assert result.status == 0, result.err
    assert "at 64x96, " in " ".join(result.out.split())
    content = json.loads((tmp_path / "out" / "pareto.json").read_text())
    assert list(content["costs"]) == ["one", "two"]
    assert content["costs"]["one"]["int8_mb"] < 3
    errors = content["errors"]
    assert list(errors) == ["streets, val, kitti-eigen, 3 frames", "kitchen, val, nyu-eigen, 3 frames"]
    assert errors["streets, val, kitti-eigen, 3 frames"]["two"]["abs_rel"] == pytest.approx([0.3, 0.4])
    assert Image.open(tmp_path / "out" / "pareto.png").width > 1200
    assert cli(*call, "--output", tmp_path / "out").status == 2


def test_a_comparison_that_is_not_there(tmp_path: Path, cli: Cli) -> None:
    result = cli("pareto", tmp_path / "none", "--images", tmp_path, "--output", tmp_path / "out")
    assert result.status == 2
    assert "none/val.json: missing; run `pocketdepth compare" in result.err


def test_untrained_branches_are_woken_before_they_are_timed() -> None:
    """timm's ResNets start the last BatchNorm of a branch at 0, and a runtime would leave the branch out."""
    network = DepthNet("resnet18")
    assert not network.encoder.backbone.layer1[0].bn2.weight.any()
    assert reset_zero_init_batchnorm(network).encoder.backbone.layer1[0].bn2.weight.all()


@pytest.mark.slow
def test_encoders_are_measured_without_weights(tmp_path: Path, cli: Cli) -> None:
    call = (
        "benchmark",
        "--encoder",
        "mobilenetv4_conv_small",
        "--encoder",
        "resnet10t",
        "--size",
        "64x96",
        "--runs",
        2,
    )
    result = cli(*call, "--output", tmp_path)
    assert result.status == 0, result.err
    content = json.loads((tmp_path / "encoders.json").read_text())["costs"]
    assert content["mobilenetv4_conv_small"]["parameters"] == 1_501_824
    assert content["mobilenetv4_conv_small"]["gmac"] < content["resnet10t"]["gmac"]
    assert "resnet10t" in result.out


def test_encoders_refuse_what_cannot_be_measured(cli: Cli) -> None:
    assert "timm has no backbone 'resnet81'; similar names:" in cli("benchmark", "--encoder", "resnet81").err
    result = cli("benchmark", "--encoder", "resnet18", "--size", 65, 96)
    assert result.status == 2
    assert "the nearest valid size is 64x96" in result.err


def test_benchmark_needs_models_or_encoders(tmp_path: Path, cli: Cli) -> None:
    model = tmp_path / "m.onnx"
    model.touch()
    for options, message in (
        ((), "give models to compare, or else --encoder NAME"),
        ((model, "--encoder", "resnet18"), "give models to compare, or else --encoder NAME"),
        (("--encoder", "resnet18", "--reference", "pydnet"), "--reference does not apply to --encoder"),
        ((model, "--size", "64x96"), "--size needs --encoder"),
    ):
        result = cli("benchmark", *options)
        assert (result.status, result.err) == (2, f"pocketdepth: error: {message}\n")


def test_costs_check_the_size_first() -> None:
    with pytest.raises(ValueError, match="not a multiple of"):
        costs({"small": DepthNet("mobilenetv4_conv_small")}, (48, 64), None, 1, 1)
