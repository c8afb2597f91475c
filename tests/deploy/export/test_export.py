"""Checkpoint -> ONNX in every form, with its card, as users call it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from onnx import TensorProto
from torch import nn

from deploy import load
from deploy.export.export import export, require_range
from deploy.export.fp16_and_ort import to_fp16
from deploy.export.model_card import Training, read_training
from deploy.inference.onnx_network import OnnxNetwork
from lightning_app.checkpoints import Checkpoint
from tests.conftest import Cli
from tests.helpers.fake_data import picture


@pytest.fixture
def checkpoint(fitted: Path) -> Path:
    return fitted / "checkpoints" / "last.ckpt"


@pytest.fixture
def quick(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's exporter takes seconds, and what it makes of this checkpoint is there already."""
    monkeypatch.setattr("deploy.export.export.to_onnx", lambda network, size: onnx.load(exported))


@pytest.mark.slow
def test_several_sizes_of_one_checkpoint(checkpoint: Path, tmp_path: Path, cli: Cli) -> None:
    sizes = ("--size", "64x96", "--size", 32, 64)
    result = cli("export", checkpoint, *sizes, "--output", tmp_path / "d.onnx")
    assert result.status == 0, result.err
    assert OnnxNetwork(tmp_path / "d-64x96.onnx").size == (64, 96)
    assert OnnxNetwork(tmp_path / "d-32x64.onnx").size == (32, 64)
    card = (tmp_path / "d.md").read_text()
    assert "`d-64x96.onnx`" in card
    assert "`d-32x64.onnx`" in card
    again = cli("export", checkpoint, *sizes, "--output", tmp_path / "d.onnx")
    assert again.status == 2
    assert "d-64x96.onnx (and 2 more) exists already" in again.err


@pytest.mark.parametrize("given", ["64", "ax96", "64x0", "64x96x3", ""])
def test_a_size_that_is_none_is_refused(checkpoint: Path, tmp_path: Path, cli: Cli, given: str) -> None:
    result = cli("export", checkpoint, "--output", tmp_path / "d.onnx", "--size", given)
    assert result.status == 2
    assert result.err == f"pocketdepth: error: size {given!r} is not HEIGHTxWIDTH, e.g. 192x640\n"
    assert not list(tmp_path.glob("d.*"))


@pytest.mark.usefixtures("quick")
def test_fp16_is_half_as_large_and_agrees(checkpoint: Path, exported: Path, cli: Cli) -> None:
    result = cli("export", checkpoint, "--precision", "fp16")
    assert result.status == 0, result.err
    assert "a CPU computes it in fp32 and is no faster" in result.out
    half = checkpoint.with_name("last-fp16.onnx")
    assert half.stat().st_size < 0.6 * exported.stat().st_size
    model = onnx.load(half)
    assert {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)} == {
        TensorProto.FLOAT
    }
    assert OnnxNetwork(half).metadata["precision"].startswith("fp16")
    image = picture(0, (64, 96))
    np.testing.assert_allclose(load(half)(image), load(exported)(image), rtol=2e-2)
    assert (load(half)(image) != load(exported)(image)).any()


def test_fp16_is_refused_where_a_layer_leaves_its_range() -> None:
    require_range(nn.Sequential(nn.Hardtanh(0, 1e4)), (8, 8))
    network = nn.Conv2d(3, 1, 1)
    nn.init.constant_(network.weight, 1e5)
    with pytest.raises(RuntimeError, match="but fp16 ends at 65504: export it in fp32"):
        require_range(network, (8, 8))


@pytest.mark.usefixtures("quick")
def test_ort_file_says_and_predicts_the_same(checkpoint: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("export", checkpoint, "--output", tmp_path / "d.onnx", "--ort")
    assert result.status == 0, result.err
    assert result.err == ""
    assert "Converting" not in result.out
    plain, packed = OnnxNetwork(tmp_path / "d.onnx"), OnnxNetwork(tmp_path / "d.ort")
    assert packed.metadata == plain.metadata
    image = picture(0, (60, 90))
    np.testing.assert_allclose(load(packed.path)(image), load(plain.path)(image), rtol=1e-4)
    assert sorted(path.name for path in tmp_path.glob("d.*")) == ["d.md", "d.onnx", "d.ort"]
    refused = cli("export", checkpoint, "--ort", "--precision", "fp16")
    assert refused.status == 2
    assert "optimised for CPUs, which compute fp16 in fp32" in refused.err


def test_wrong_options_are_one_line(checkpoint: Path, tmp_path: Path, cli: Cli) -> None:
    for given, message in (
        (("--precision", "fp8"), "unknown precision 'fp8'; use one of fp32, fp16"),
        (("--output", tmp_path / "d.tflite"), "the name of an ONNX file must end in .onnx"),
    ):
        result = cli("export", checkpoint, *given)
        assert result.status == 2
        assert message in result.err
        assert len(result.err.splitlines()) == 1


@pytest.mark.usefixtures("quick")
def test_interrupted_export_leaves_nothing(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.export.export.disagreement", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export(checkpoint, tmp_path / "out" / "d.onnx", ort=True)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("camera", [None, (48, 80)])
def test_the_cards_example_runs_with_onnxruntime_and_numpy_alone(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, camera: tuple[int, int] | None
) -> None:
    export(checkpoint, tmp_path / "d.onnx", camera=camera)
    code = re.findall(r"```python\n(.*?)```", (tmp_path / "d.md").read_text(), re.DOTALL)[0]
    assert len(code.splitlines()) <= 10
    assert set(re.findall(r"^import (\w+)", code, re.MULTILINE)) == {"numpy", "onnxruntime"}
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    depth = names["depth"]
    assert isinstance(depth, np.ndarray)
    assert depth.shape == (camera or (32, 48))
    image = np.zeros((480, 640, 3) if camera is None else (*camera, 3), np.uint8)
    assert np.median(depth) == pytest.approx(np.median(load(tmp_path / "d.onnx")(image)), rel=1e-2)


def test_card_says_how_it_was_trained(exported: Path, checkpoint: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    for expected in (
        "# depth\n",
        "Depth in metres along the camera's axis of one RGB image",
        "| network | DepthNet(encoder=mobilenetv4_conv_small",
        "| steps | 4, batches of 4 |",
        "| data | VirtualKitti vkitti: 12 frames of 2 scenes |",
        "(split, protocol, metric)",
        "| Virtual KITTI 2, unless these are other renders in its layout | CC BY-NC-SA 3.0 |",
    ):
        assert expected in card
    data: Any = ModelCard(card).data  # what the Hugging Face hub reads
    assert data.pipeline_tag == "depth-estimation"
    assert [result.metric_type for result in data.eval_results or []] == ["abs_rel"]
    assert OnnxNetwork(exported).metadata["licence"].startswith("non-commercial: Virtual KITTI 2, unless")


def test_card_needs_no_data_and_of_another_training(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", "/nowhere")
    training = read_training(Checkpoint.open(checkpoint))
    assert training.facts["data"] == "VirtualKitti vkitti: 12 frames of 2 scenes"
    content = torch.load(checkpoint, weights_only=True)
    del content["pocketdepth"]["training_data"]  # as in checkpoints of older versions
    own = content["config"].replace("datamodules.VirtualKitti", "mine.Reader").replace("weights: none", "weights: pypi")
    torch.save(content, checkpoint)
    old = read_training(Checkpoint.open(checkpoint))
    assert old.facts["data"].startswith("VirtualKitti(root=vkitti")
    assert old.facts["data"].endswith("number of frames not recorded")
    assert old.conclusion == training.conclusion
    torch.save(content | {"config": own}, checkpoint)
    other = read_training(Checkpoint.open(checkpoint))
    assert "mine" not in sys.modules
    assert "not known here: the data of Reader" in other.conclusion
    assert "the ImageNet weights of EfficientNet-Lite" in other.conclusion
    damaged = {"model": {"init_args": {"network": {"init_args": 3}, "loss": [[1]], "weights": 5}}}
    damaged["data"] = {"init_args": {"train": [3, {"init_args": 3}], "style": {"init_args": 3}, "teacher": 4}}
    torch.save(content | {"config": yaml.safe_dump(damaged)}, checkpoint)
    assert read_training(Checkpoint.open(checkpoint)).facts["started from"] == "5"
    del content["config"]
    torch.save(content, checkpoint)
    conclusion = read_training(Checkpoint.open(checkpoint)).conclusion
    assert conclusion == "whether commercial use is allowed is not known here: its data"


def test_licences_are_concluded_in_a_sentence() -> None:
    free, bound, unknown = ("A", "CC BY 4.0", True), ("B", "CC BY-NC 4.0", False), ("C", "?", None)
    assert Training({}, {}, [free]).conclusion == "commercial use is allowed: A"
    assert Training({}, {}, [free, bound, bound]).conclusion == "non-commercial: B"
    both = "non-commercial: B; whether commercial use is allowed is not known here: C"
    assert Training({}, {}, [unknown, bound]).conclusion == both


def test_half_precision_keeps_metadata(exported: Path) -> None:
    model = onnx.load(exported)
    assert [entry.key for entry in to_fp16(model).metadata_props] == [entry.key for entry in model.metadata_props]
