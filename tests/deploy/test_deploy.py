"""Checkpoint -> ONNX -> int8 -> numbers, as users call it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from deploy import load
from deploy.benchmark.benchmark import benchmark
from deploy.export.export import disagreement
from deploy.export.to_onnx import to_onnx
from deploy.inference.images import to_image_size, to_input
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.agreement import read_inputs
from deploy.measure.macs import count_macs
from deploy.measure.mobile_partitions import mobile_partitions
from deploy.measure.peak import dense_convolution
from deploy.measure.sqnr import Fp32Reference
from deploy.quantization.quantizer import head_nodes
from models import DepthNet, LightDecoder, UpConvDecoder
from tests.conftest import EXPERIMENTS, Cli
from tests.helpers.fake_data import picture
from tests.models.test_encoder import BACKBONES

BASE = EXPERIMENTS / "base.yaml"


def test_exported_file_is_fused_static_and_says_what_it_is(exported: Path) -> None:
    model = onnx.load(exported)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    network = OnnxNetwork(exported)
    assert network.size == (64, 96)
    assert network.metadata["predicts"] == "depth"
    assert network.metadata["units"] == "metres"
    assert network.metadata["size"] == "64x96 (height x width)"
    assert len(network.metadata["checkpoint_sha256"]) == 64
    assert set(mobile_partitions(model).values()) == {1}


def test_export_at_another_size(fitted: Path, cli: Cli) -> None:
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    assert cli("export", checkpoint, "--size", "32,64", "--output", fitted / "s.onnx").status == 0
    assert OnnxNetwork(fitted / "s.onnx").size == (32, 64)
    result = cli("export", checkpoint, "--size", "33x64", "--output", fitted / "t.onnx")
    assert result.status == 2
    assert "the nearest valid size is 32x64" in result.err
    assert not (fitted / "t.onnx").exists()


PLAIN = ("mobileone_s0", "resnet18", "tf_efficientnet_lite0")
OTHERS = [name for name in dict.fromkeys((*PLAIN, *BACKBONES[::2])) if name != PLAIN[0]]


@pytest.mark.parametrize("encoder", [PLAIN[0], *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_every_network_exports(encoder: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    decoder = UpConvDecoder if encoder == "resnet18" else LightDecoder
    network = DepthNet(encoder, heads=4, decoder=decoder).eval()
    model = to_onnx(network, (64, 96))
    onnx.save(model, tmp_path / "n.onnx")
    assert disagreement(network, OnnxNetwork(tmp_path / "n.onnx")) < 1e-4
    partitions = mobile_partitions(model)
    # ConvTranspose is an operator that only CoreML's newer kind takes.
    whole = ["CoreML MLProgram"] if encoder == "resnet18" else list(partitions)
    if encoder in PLAIN:  # others have what not every runtime of a phone takes, or a BatchNorm without a convolution
        assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
        assert [name for name, count in partitions.items() if count == 1] == whole


def test_int8_file_keeps_its_head_in_float_and_agrees(exported: Path, data_root: Path, cli: Cli) -> None:
    result = cli("quantize", exported, data_root / "photos")
    assert result.status == 0, result.err
    path = exported.with_name("depth-int8.onnx")
    model = onnx.load(path)
    head = set(head_nodes(model))
    inputs = {name for node in model.graph.node if node.name in head for name in node.input}
    produced = {output: node.op_type for node in model.graph.node for output in node.output}
    assert not any(produced.get(name) == "QuantizeLinear" for name in inputs)
    assert (
        OnnxNetwork(path)
        .metadata["quantized"]
        .startswith("int8 QDQ, a small stem and the head in float, 3 calibration images")
    )
    images = sorted((data_root / "photos").glob("*.*"))
    reference = Fp32Reference(OnnxNetwork(exported), read_inputs(images, (64, 96)))
    assert reference.compare(OnnxNetwork(path)).sqnr_db > 25
    again = cli("quantize", path, data_root / "photos")
    assert again.status == 2
    assert "is already quantized" in again.err


def test_benchmark_writes_text_json_and_picture(exported: Path, tmp_path: Path, data_root: Path, cli: Cli) -> None:
    assert cli("quantize", exported, data_root / "photos").status == 0
    files = (exported, exported.with_name("depth-int8.onnx"))
    result = cli("benchmark", *files, "--runs", 4, "--output", tmp_path / "b")
    assert result.status == 0, result.err
    content = json.loads((tmp_path / "b" / "benchmark.json").read_text())
    assert [row["precision"] for row in content["rows"]] == ["fp32", "int8"]
    assert content["rows"][0]["gmac"] == content["rows"][1]["gmac"] > 0
    assert content["rows"][0]["speedup"] == 1
    assert all(0 < row["p50_ms"] <= row["p90_ms"] for row in content["rows"])
    assert "depth-int8.onnx" in (tmp_path / "b" / "benchmark.txt").read_text()
    assert Image.open(tmp_path / "b" / "benchmark.png").size[0] > 800
    assert cli("benchmark", *files, "--output", tmp_path / "b").status == 2


def test_benchmark_refuses_more_than_the_peak(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.measure.timing.count_macs", lambda model: 10**15 if len(model.graph.node) > 10 else 1)
    with pytest.raises(RuntimeError, match="times this CPU's measured peak"):
        benchmark([exported], runs=2, output=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_macs_are_counted(tmp_path: Path) -> None:
    assert count_macs(dense_convolution(int8=False)) == 3 * 48 * 160 * 128 * 128 * 9
    assert count_macs(dense_convolution(int8=True)) == count_macs(dense_convolution(int8=False))
    up = DepthNet("resnet18", decoder=UpConvDecoder).eval()
    macs = count_macs(to_onnx(up, (64, 64)))
    # ResNet18 has 1.814 GMAC at 224x224 without its classifier; the decoder adds its own.
    encoder = 1.8136e9 * (64 * 64) / (224 * 224)
    decoder = 4 * 9 * 512 * 64 + 16 * 9 * 64 * 32 + 64 * 9 * 32 * 16 + 256 * 9 * 16 * 1
    skips = 16 * 256 * 64 + 64 * 128 * 32 + 256 * 64 * 16
    assert macs == pytest.approx(encoder + decoder + skips, rel=1e-3)


def test_load_takes_every_kind_of_image(exported: Path, data_root: Path) -> None:
    model = load(exported)
    array = picture(3, (70, 50))
    depth = model(array)
    assert depth.shape == (70, 50)
    np.testing.assert_allclose(model(Image.fromarray(array)), depth)
    np.testing.assert_allclose(model((array / 255).astype(np.float32)), depth, rtol=0.02)
    assert model(data_root / "photos" / "a.jpg").shape == (60, 90)
    with pytest.raises(ValueError, match=r"shape \(70, 50\) is not RGB"):
        model(array[..., 0])


def test_evaluate_scores_checkpoint_and_onnx_alike(exported: Path, fitted: Path, tmp_path: Path, cli: Cli) -> None:
    rows = []
    for model in (exported, fitted / "checkpoints" / "last.ckpt"):
        output = tmp_path / f"{model.stem}.json"
        result = cli(
            *("evaluate", model, "--data", BASE, "--data", fitted.parents[1] / "tiny.yaml", "--split", "val"),
            *("--protocol", "kitti-eigen,kitti-eigen-metric", "--output", output),
        )
        assert result.status == 0, result.err
        rows.append(json.loads(output.read_text())["results"])
    assert list(rows[0]) == ["kitti-eigen", "kitti-eigen-metric"]
    for name in rows[0]:
        assert rows[0][name]["frames"] == 3
        assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-3)
    # What training logged for the same weights and frames is the same number.
    logged = json.loads((fitted / "fit.json").read_text())["results"]["val step 4 kitti-eigen"]
    assert rows[1]["kitti-eigen"] == pytest.approx(logged, rel=1e-3)


@pytest.mark.parametrize("verb", ["predict", "export", "quantize", "benchmark", "evaluate"])
def test_wrong_files_are_one_line(verb: str, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    arguments = {
        "predict": (data_root / "photos",),
        "quantize": (data_root / "photos",),
        "evaluate": ("--data", BASE),
    }.get(verb, ())
    suffix = ".ckpt" if verb == "export" else ".onnx"
    corrupt = tmp_path / f"corrupt{suffix}"
    corrupt.write_bytes(b"nothing that opens")
    for path, status in ((tmp_path / f"absent{suffix}", 2), (corrupt, 2)):
        result = cli(verb, path, *arguments)
        assert result.status == status, result
        assert len(result.err.splitlines()) == 1, result.err
        assert result.err.startswith("pocketdepth: error: ")


def test_calibration_folder_without_images(exported: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "empty").mkdir()
    result = cli("quantize", exported, tmp_path / "empty")
    assert result.status == 2
    assert "empty: no image in it (.jpg, " in result.err
    assert not exported.with_name("depth-int8.onnx").exists()


def test_existing_outputs_are_refused(exported: Path, fitted: Path, cli: Cli) -> None:
    content = exported.read_bytes()
    result = cli("export", fitted / "checkpoints" / "last.ckpt", "--output", exported)
    assert result.status == 2
    assert "exists already; give --overwrite" in result.err
    assert exported.read_bytes() == content
    assert cli("export", fitted / "checkpoints" / "last.ckpt", "--output", exported, "--overwrite").status == 0


def test_checkpoint_of_something_else_is_refused(tmp_path: Path, cli: Cli) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    result = cli("export", tmp_path / "other.ckpt")
    assert result.status == 2
    assert "not a checkpoint of PocketDepth" in result.err


def test_images_go_in_and_depth_comes_out_at_the_right_scale() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = 255
    tensor = to_input(image, (20, 30))
    assert tensor.shape == (1, 3, 20, 30)
    assert tensor[0, 0, 5].tolist() == [0.0] * 15 + [1.0] * 15
    assert to_image_size(np.full((4, 6), 7, np.float32), (9, 13), "depth") == pytest.approx(7)
