"""Opening checkpoints: once, of today and from before the packages."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from deploy import load
from lightning_app.checkpoints import Checkpoint
from lightning_app.config import read_yaml
from lightning_app.moved import MOVED, with_new_names
from models import DepthNet, with_pruned_channels
from models.pruned import network_channels
from tests.conftest import EXPERIMENTS, Cli

# A DepthNet of timm's test_efficientnet, 64x192, after 4 steps of SGD; its class paths are of before the packages.
OLD = Path(__file__).parents[1] / "helpers" / "before_packages.ckpt"
LINEAR = torch.linspace(0, 1, 3 * 64 * 192).reshape(1, 3, 64, 192)
OPENED: list[str] = []
sys.addaudithook(lambda event, args: OPENED.append(str(args[0])) if event == "open" else None)


@pytest.fixture
def streets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data root that holds the embedded streets."""
    monkeypatch.setenv("POCKETDEPTH_DATA", str(EXPERIMENTS.parent / "data"))


def changed(path: Path, **content: Any) -> Path:
    """A copy of the old checkpoint with other content."""
    torch.save(torch.load(OLD, weights_only=True) | content, path)
    return path


def test_what_a_checkpoint_says(fitted: Path) -> None:
    path = fitted / "checkpoints" / "best.ckpt"
    opened = Checkpoint.open(path)
    assert opened.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (opened.path, opened.size, opened.canonical_focal_px) == (path, (64, 96), None)
    assert opened.config == yaml.safe_load((fitted / "config.yaml").read_text())
    assert opened.hyper_parameters["network"]["init_args"]["encoder"] == "mobilenetv4_conv_small"
    rows = json.loads((fitted / "fit.json").read_text())["results"].values()
    assert opened.scores == {"val/kitti-eigen/abs_rel": pytest.approx(min(row["abs_rel"] for row in rows))}
    network = opened.network
    assert network is opened.network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, opened.content["state_dict"][f"network.{name}"])


def test_new_checkpoints_carry_public_names(fitted: Path) -> None:
    content = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)
    settings, config = content["hyper_parameters"], yaml.safe_load(content["config"])
    assert settings["_class_path"] == config["model"]["class_path"] == "lightning_app.training.DepthModule"
    for arguments in (settings, config["model"]["init_args"]):
        assert arguments["schedule"]["class_path"] == "lightning_app.training.WarmupCosine"
    assert with_new_names(content["config"]) == content["config"]


def test_old_names_are_written_as_the_public_ones(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(
        "trainer: {callbacks: [{class_path: deploy.int8.fake_quantize.FakeQuantize}]}\n"
        "model: {init_args: {schedule: {class_path: lightning_app.schedule.OneCycle}}}\n"
        "data: {init_args: {train: [], val: [], test: [], damaged: skip, shared_scenes: refuse,\n"
        "  teacher: {class_path: deploy.teacher.Teacher, init_args: {file: x.onnx}}}}\n"
    )
    result = cli("fit", "-c", EXPERIMENTS / "base.yaml", "-c", tmp_path / "old.yaml", "--print_config")
    assert result.status == 0, result.err
    config = yaml.safe_load(result.out)
    assert config["trainer"]["callbacks"][0]["class_path"] == "deploy.quantization.FakeQuantize"
    assert config["model"]["init_args"]["schedule"]["class_path"] == "lightning_app.training.OneCycle"
    data = config["data"]["init_args"]
    assert (data["on_corrupt"], data["shared_scenes"]) == ("skip", "raise")
    assert data["teacher"]["class_path"] == "deploy.inference.Teacher"
    assert read_yaml(tmp_path / "old.yaml")["data"]["init_args"]["on_corrupt"] == "skip"


def test_only_whole_names_have_moved() -> None:
    for old, new in MOVED.items():
        assert with_new_names({old: [f"a {old}", 1]}) == {new: [f"a {new}", 1]}
        assert with_new_names(f"my.{old} my_{old}") == f"my.{old} my_{old}"
        assert with_new_names(new) == new


def test_export_opens_the_file_once(cli: Cli, streets: None, tmp_path: Path) -> None:
    path = changed(tmp_path / "once.ckpt")
    OPENED.clear()
    result = cli("export", path, "--output", tmp_path / "depth.onnx")
    assert result.status == 0, result.err
    assert OPENED.count(str(path)) == 1
    card = (tmp_path / "depth.md").read_text()
    assert "data | VirtualKitti(root=quickstart/streets, scenes=['Scene01']" in card
    assert ": number of frames not recorded" in card
    assert "| Virtual KITTI 2, unless these are other renders in its layout | CC BY-NC-SA 3.0 |" in card
    assert "WarmupCosine" not in card
    assert load(tmp_path / "depth.onnx").network.info.checkpoint_sha256 == Checkpoint.open(path).sha256


def test_evaluate_opens_the_file_once(cli: Cli, streets: None, tmp_path: Path) -> None:
    path, yamls = changed(tmp_path / "once.ckpt"), [EXPERIMENTS / f"{name}.yaml" for name in ("base", "quickstart")]
    OPENED.clear()
    result = cli("evaluate", path, *(part for each in yamls for part in ("--data", each)), "--split", "val")
    assert result.status == 0, result.err
    assert "size 64x192, on val: " in " ".join(result.out.split())
    assert OPENED.count(str(path)) == 1
    assert "unknown whether it was trained on these frames: it does not record its training data" in result.err


def test_old_checkpoint_predicts_as_before() -> None:
    network = load(OLD).network
    depth = network(LINEAR.numpy())
    assert depth.shape == (1, 1, 32, 96)
    assert depth.mean() == pytest.approx(9.980818748474121, rel=1e-5)
    expected = [[10.1071, 9.9822], [10.0719, 10.0153]]
    np.testing.assert_allclose(depth[0, 0, ::16, ::48], expected, atol=1e-4)


def test_run_of_an_old_checkpoint_goes_on_with_its_old_yaml(cli: Cli, streets: None, tmp_path: Path) -> None:
    text = torch.load(OLD, weights_only=True)["config"]
    assert "lightning_app.depth_module.DepthModule" in text
    moved = text.replace("quickstart/streets", "quickstart/streets/train")  # where the embedded streets are now
    (tmp_path / "old.yaml").write_text(moved)
    fit = ("fit", "-c", tmp_path / "old.yaml", "--trainer.default_root_dir", tmp_path, "--trainer.max_steps", 6)
    result = cli(*fit, "--ckpt_path", OLD)
    assert result.status == 0, result.err
    resumed = Checkpoint.open(tmp_path / "checkpoints" / "last.ckpt")
    assert resumed.content["global_step"] == 6
    assert resumed.hyper_parameters["_class_path"] == "lightning_app.training.DepthModule"
    assert with_new_names(resumed.content["config"]) == resumed.content["config"]
    tuned = cli(*fit[:4], tmp_path / "tuned", *fit[5:], "--model.weights", OLD)
    assert tuned.status == 0, tuned.err


def test_opens_without_its_loss(tmp_path: Path) -> None:
    settings = torch.load(OLD, weights_only=True)["hyper_parameters"] | {"loss": {"class_path": "mine.Loss"}}
    network = Checkpoint.open(changed(tmp_path / "x.ckpt", hyper_parameters=settings)).network
    with torch.no_grad():
        assert torch.equal(network(LINEAR), Checkpoint.open(OLD).network(LINEAR))


@pytest.mark.parametrize("name", ["models.narrowed", "models.with_pruned_channels"])
def test_opens_a_pruned_network(name: str, tmp_path: Path) -> None:
    opened = Checkpoint.open(OLD)
    layer, (inputs, outputs, groups) = next(iter(network_channels(opened.network).items()))
    channels = {layer: [inputs, outputs - 4, groups]}
    section = {"class_path": name, "init_args": {"network": opened.hyper_parameters["network"], "channels": channels}}
    weights = with_pruned_channels(opened.network, channels).state_dict()
    state = {f"network.{key}": value for key, value in weights.items()}
    settings = opened.hyper_parameters | {"network": section}
    pruned = Checkpoint.open(changed(tmp_path / "p.ckpt", hyper_parameters=settings, state_dict=state)).network
    assert isinstance(pruned, DepthNet)
    assert network_channels(pruned)[layer] == channels[layer]
    assert torch.equal(pruned.get_submodule(layer).weight, opened.network.get_submodule(layer).weight)  # type: ignore[arg-type]


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.ckpt: no such checkpoint"):
        Checkpoint.open(tmp_path / "no.ckpt")
    path = tmp_path / "x.ckpt"
    for content in (b"text", OLD.read_bytes()[:1000], b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.ckpt: not a checkpoint of PocketDepth, or a corrupt one \(\w+\)$"):
            Checkpoint.open(path)
    for name in ("state_dict", "hyper_parameters"):
        torch.save({name: {}}, path)
        with pytest.raises(ValueError, match=r"x\.ckpt: not a checkpoint of PocketDepth"):
            Checkpoint.open(path)


def test_checkpoint_of_something_else(tmp_path: Path) -> None:
    settings = torch.load(OLD, weights_only=True)["hyper_parameters"]
    style = settings | {"_class_path": "lightning_app.style_module.StyleModule"}
    path = changed(tmp_path / "x.ckpt", hyper_parameters=style)
    theirs, ours = (f"lightning_app.training.{name}Module" for name in ("Style", "Depth"))
    with pytest.raises(ValueError, match=rf"x\.ckpt: a checkpoint of {theirs}, not of {ours}"):
        Checkpoint.open(path)
    for module in (None, theirs):
        assert Checkpoint.open(path, module).size == (64, 192)
    opened = Checkpoint.open(changed(path, state_dict={"network.x": torch.zeros(1)}))
    with pytest.raises(ValueError, match=r"x\.ckpt: its weights do not match its network"):
        _ = opened.network
    other = {"class_path": "models.Nothing", "init_args": {}}
    opened = Checkpoint.open(changed(path, hyper_parameters=settings | {"network": other}))
    with pytest.raises(ValueError, match=r"x\.ckpt: .* cannot be built: module 'models' has no attribute 'Nothing'"):
        _ = opened.network
