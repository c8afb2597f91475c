"""An ONNX file in the place of a network."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from deploy.inference.onnx_module import OnnxModule
from lightning_app.training.depth_module import DepthModule
from losses import SILog
from tests.conftest import EXPERIMENTS, Cli

BASE = EXPERIMENTS / "base.yaml"


def chain(tmp_path: Path, model: Path, run: str = "tested") -> tuple[object, ...]:
    network = ("--model.network", "deploy.inference.OnnxModule", "--model.network.file", model)
    return ("-c", BASE, "-c", tmp_path / "tiny.yaml", *network, "--trainer.default_root_dir", tmp_path / run)


@pytest.mark.parametrize(("verb", "split"), [("test", "test"), ("validate", "val")])
def test_scores_as_evaluate_does(verb: str, split: str, exported: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli(verb, *chain(tmp_path, exported))
    assert result.status == 0, result.err
    tested = json.loads((tmp_path / "tested" / f"{verb}.json").read_text())["results"][f"{split} kitti-eigen"]
    data = ("--data", BASE, "--data", tmp_path / "tiny.yaml", "--split", split)
    assert cli("evaluate", exported, *data, "--output", tmp_path / "e.json").status == 0
    evaluated = json.loads((tmp_path / "e.json").read_text())["results"]["kitti-eigen"]
    assert tested["frames"] == 3
    assert tested == pytest.approx(evaluated, rel=1e-5, nan_ok=True)


def test_another_size_is_refused_by_name(exported: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("test", *chain(tmp_path, exported), "--data.size", "[96,96]")
    assert result.status == 2
    assert "depth.onnx accepts 64x96 (height x width), not 96x96: give --data.size [64,96]" in result.err


def test_it_is_neither_trained_nor_loaded(exported: Path, tmp_path: Path, cli: Cli) -> None:
    checkpoint = exported.parent / "checkpoints" / "last.ckpt"
    for call in (("fit", *chain(tmp_path, exported)), ("test", *chain(tmp_path, exported), "--ckpt_path", checkpoint)):
        result = cli(*call)
        assert result.status == 2
        assert "OnnxModule is trained already: test or validate it, without --ckpt_path" in result.err
    assert not (tmp_path / "tested").exists()
    with pytest.raises(ValueError, match="cannot be trained"):
        OnnxModule(exported).load_pretrained()


def test_a_missing_file_is_one_line(tmp_path: Path, fitted: Path, cli: Cli) -> None:
    result = cli("test", *chain(tmp_path, fitted / "nothing.onnx"))
    assert result.status == 2
    assert result.err.splitlines()[-1].endswith("nothing.onnx: no such ONNX file")


def test_the_camera_of_its_depth_must_be_the_one_asked_for(exported: Path, tmp_path: Path) -> None:
    model = onnx.load(exported)
    onnx.helper.set_model_props(model, {"predicts": "depth", "canonical_focal_px": "500.0"})
    onnx.save(model, tmp_path / "canonical.onnx")
    network = OnnxModule(tmp_path / "canonical.onnx")
    assert DepthModule(network, SILog(), canonical_focal_px=500).canonical_focal_px == 500
    with pytest.raises(ValueError, match=r"canonical_focal_px is None, but this network's depth is for 500\.0"):
        DepthModule(network, SILog())
