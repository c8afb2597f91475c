"""Metadata of model files, read and written in one place."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import onnx
import pytest

from deploy.inference.load import load_network
from deploy.inference.model_info import ModelInfo
from deploy.inference.network import Network
from tests.conftest import Cli

FULL = ModelInfo(
    size=(192, 640),
    frames=(480, 640),
    input="image: RGB",
    output="depth: float32",
    predicts="inverse_depth",
    units="1/m up to scale and shift",
    quantized="int8 QDQ",
    precision="int8",
    licence="non-commercial: KITTI",
    checkpoint="best.ckpt",
    checkpoint_sha256="ab12",
    pocketdepth="0.1.0",
    canonical_focal_px=517.25,
    stem_mean=(0.1234, -2.0),
    stem_std=(1.0, 12.5),
    float_layers=("encoder.conv_stem", "decoder.heads.0"),
    warning="shifted",
    chip="SM8650",
)


def test_what_is_written_is_read_again() -> None:
    assert all(getattr(FULL, each.name) is not None for each in fields(ModelInfo))
    assert ModelInfo.from_metadata(FULL.to_metadata(), "m.onnx") == FULL
    assert ModelInfo().to_metadata() == {}
    assert ModelInfo.from_metadata({}, "m.onnx") == ModelInfo()


def test_the_text_of_each_entry_stays() -> None:
    written = FULL.to_metadata()
    assert written["size"] == "192x640 (height x width)"
    assert written["frames"] == "480x640 (height x width)"
    assert written["canonical_focal_px"] == "517.25"
    assert written["stem_mean"] == "0.1234 -2"
    assert list(written) == [each.name for each in fields(ModelInfo)]


def test_entries_of_others_are_left_out() -> None:
    metadata = {"author": "somebody", "size": "small", "canonical_focal_px": "", "units": "feet"}
    assert ModelInfo.from_metadata(metadata, "m.onnx") == ModelInfo(units="feet")


@pytest.mark.parametrize(
    ("entry", "value"), [("predicts", "disparity"), ("canonical_focal_px", "wide"), ("stem_mean", "1 x")]
)
def test_invalid_entries_are_one_line(entry: str, value: str, exported: Path, tmp_path: Path, cli: Cli) -> None:
    model = onnx.load(exported)
    metadata = {each.key: each.value for each in model.metadata_props}
    onnx.helper.set_model_props(model, metadata | {entry: value})
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=f"m.onnx: its metadata has {entry} '{value}', which is invalid"):
        load_network(tmp_path / "m.onnx")
    result = cli("camera", tmp_path / "m.onnx", "--size", 64, 96)
    assert result.status == 2
    assert len(result.err.splitlines()) == 1


def test_checkpoint_and_file_say_the_same(exported: Path, fitted: Path) -> None:
    """Of the entries that a checkpoint has."""
    networks: list[Network] = [load_network(fitted / "checkpoints" / "last.ckpt"), load_network(exported)]
    opened, file = (network.info for network in networks)
    said = {each.name: getattr(opened, each.name) for each in fields(opened) if getattr(opened, each.name) is not None}
    assert set(said) == {"size", "predicts", "units", "checkpoint_sha256", "pocketdepth"}
    assert replace(file, **said) == file
    assert [network.predicts for network in networks] == ["depth", "depth"]
    assert [network.canonical_focal_px for network in networks] == [None, None]
    assert [network.runtime for network in networks] == ["torch", "onnxruntime"]
