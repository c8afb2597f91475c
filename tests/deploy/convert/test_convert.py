"""Other runtimes than ONNX Runtime, as users call them. What needs an optional package skips where it is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deploy import load
from deploy.convert.source import open_source
from deploy.inference.litert_network import LiteRtNetwork
from deploy.inference.load import load_network
from deploy.inference.onnx_network import OnnxNetwork
from deploy.inference.optional_packages import quiet
from deploy.measure.agreement import largest_difference, random_images
from deploy.measure.sqnr import sqnr_db
from lightning_app.files import atomic_folder
from tests.conftest import EXPERIMENTS, Cli

LIBRARIES = {"coreml": "coremltools", "litert": "litert-torch", "executorch": "executorch", "qnn": "onnxruntime-qnn"}
MODULES = {"coreml": "coremltools", "litert": "litert_torch", "executorch": "executorch.exir", "qnn": "onnxruntime_qnn"}


@pytest.mark.parametrize("target", MODULES)
def test_missing_package_is_one_sentence(
    target: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, MODULES[target], None)
    monkeypatch.setitem(sys.modules, MODULES[target].partition(".")[0], None)
    (tmp_path / "any.ckpt").touch()
    result = cli("convert", tmp_path / "any.ckpt", "--to", target)
    assert result.status == 2
    assert result.err.startswith("pocketdepth: error: ")
    assert re.search(rf"is not installed: pip install .*{LIBRARIES[target]}>=", result.err)
    assert "pocketdepth[" not in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(("suffix", "module"), [(".tflite", "ai_edge_litert"), (".pte", "executorch")])
def test_files_need_their_runtime(suffix: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [module, *(name for name in sys.modules if name.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"is not installed: pip install .*{module.replace('_', '-')}>="):
        load(f"depth{suffix}")


def test_wrong_use_is_said_before_anything_is_opened(tmp_path: Path, cli: Cli) -> None:
    checkpoint = tmp_path / "a.ckpt"
    checkpoint.touch()
    for arguments, says in (
        (("litert", "--int8"), "--int8 requires --images to calibrate on"),
        (("litert", "--images", tmp_path), "--images requires --int8"),
        (("litert", "--output", tmp_path / "a.onnx"), "must end in .tflite"),
        (("executorch", "--output", tmp_path / "a.onnx"), "must end in .pte"),
        (("coreml", "--output", tmp_path / "a.onnx"), "must end in .mlpackage"),
        (("coreml", "--int8"), "--int8 does not apply to --to coreml"),
        (("executorch", "--images", tmp_path), "--images does not apply to --to executorch"),
        (("litert", "--chip", "SM8650"), "--chip does not apply to --to litert"),
        (("qnn", "--number", 64), "--number does not apply to --to qnn"),
        (("qnn", "--size", "64x96"), "--size does not apply to --to qnn"),
        (("tflite",), "--to tflite is not coreml, litert, executorch or qnn"),
    ):
        result = cli("convert", checkpoint, "--to", *arguments)
        assert result.status == 2
        assert says in result.err
        assert len(result.err.splitlines()) == 1


def test_folder_is_never_half_written(tmp_path: Path) -> None:
    target = tmp_path / "a.mlpackage"

    def write(content: str, fail: bool) -> None:
        with atomic_folder(target) as temporary:
            temporary.mkdir()
            (temporary / "file").write_text(content)
            if fail:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write("broken", fail=True)
    assert not list(tmp_path.iterdir())
    write("one", fail=False)
    with pytest.raises(KeyboardInterrupt):
        write("broken", fail=True)
    assert (target / "file").read_text() == "one"
    write("two", fail=False)
    assert (target / "file").read_text() == "two"
    assert list(tmp_path.iterdir()) == [target]


def test_libraries_are_quiet_and_their_errors_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet("at work"):
        print("chatter")
    with pytest.raises(ValueError, match="said"), quiet():
        raise ValueError("said")
    print("kept")
    assert capfd.readouterr().out.split() == ["kept"]


def test_agreement_in_figures() -> None:
    images = random_images((4, 6))

    def tenth_more(x: Any) -> Any:
        return 1.01 * (x + 1)

    assert largest_difference(lambda x: x + 1, tenth_more, images, "depth") == pytest.approx(0.01, rel=1e-3)
    # Of inverse depth a share of the image's largest, 2: x + 1 is off by 0.01 of it there.
    assert largest_difference(lambda x: x + 1, tenth_more, images, "inverse_depth") == pytest.approx(0.01, rel=0.05)
    assert np.isnan(largest_difference(lambda x: x, lambda x: x * np.nan, images, "inverse_depth"))
    assert sqnr_db((image, 0.9 * image) for image in images) == pytest.approx(20, rel=1e-3)


def test_batchnorm_behind_a_transposed_convolution_is_fused() -> None:
    from deploy.convert.source import _without_batchnorm
    from deploy.convert.to_litert import _uncropped

    torch.manual_seed(0)
    network = nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), nn.BatchNorm2d(4), nn.ReLU())
    network(torch.rand(2, 3, 5, 7))  # statistics that change something
    network.eval()
    image = torch.rand(1, 3, 5, 7)
    expected = network(image)
    for changed in (_uncropped(network), _without_batchnorm(network)):
        torch.testing.assert_close(changed(image), expected)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.slow
def test_litert(fitted: Path, exported: Path, data_root: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("litert_torch", "litert")
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    result = cli("convert", checkpoint, "--to", "litert")
    assert result.status == 0, result.err
    assert "relative difference to ONNX at most" in result.out
    assert len(result.out.splitlines()) == 1
    assert not result.err
    network = _same(checkpoint.with_suffix(".tflite"), exported)
    assert network.info.precision == "fp32"
    assert len(network.info.checkpoint_sha256 or "") == 64
    int8 = fitted / "int8.tflite"
    arguments = ("convert", checkpoint, "--to", "litert", "--output", int8, "--int8", "--images", data_root / "photos")
    result = cli(*arguments)
    assert result.status == 0, result.err
    assert "dB against the fp32 ONNX reference" in result.out
    assert int8.stat().st_size < 0.5 * checkpoint.with_suffix(".tflite").stat().st_size
    network = LiteRtNetwork(int8)
    assert network.info.precision == "int8, normalisation and head in float, 3 calibration images"
    assert network.interpreter.get_input_details()[0]["dtype"] is np.float32
    reference = OnnxNetwork(exported)
    assert sqnr_db((reference(image), network(image)) for image in random_images(network.size)) > 20
    _is_taken(int8, data_root, fitted, cli)
    monkeypatch.setattr("deploy.convert.to_litert.LEAST_DB", 200)
    again = cli(*arguments, "--overwrite")
    assert again.status == 1
    assert "below the minimum 200 dB" in again.err
    assert load_network(int8).info == network.info
    int8.write_bytes(int8.read_bytes()[:4000])
    assert ": corrupt LiteRT file" in cli("predict", int8, data_root / "photos", "--output", fitted / "q").err
    int8.write_bytes(b"nothing that opens")
    assert "not a LiteRT file written by" in cli("predict", int8, data_root / "photos", "--output", fitted / "q").err


@pytest.mark.slow
def test_executorch(fitted: Path, exported: Path, data_root: Path, cli: Cli) -> None:
    needs("executorch", "executorch")
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    result = cli("convert", checkpoint, "--to", "executorch")
    assert result.status == 0, result.err
    assert "relative difference to ONNX at most" in result.out
    assert not result.err
    file = checkpoint.with_suffix(".pte")
    assert _same(file, exported).info.precision == "fp32"
    _is_taken(file, data_root, fitted, cli)
    file.write_bytes(b"nothing that opens")
    assert "ExecuTorch cannot open it" in cli("predict", file, data_root / "photos", "--output", fitted / "q").err


@pytest.mark.slow
def test_coreml(fitted: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = needs("coremltools", "coreml")
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    result = cli("convert", checkpoint, "--to", "coreml")
    assert result.status == 0, result.err
    assert "executed in torch, relative difference to ONNX at most" in result.out
    assert "Core ML runs on Apple systems only" in result.out
    package = checkpoint.with_suffix(".mlpackage")
    spec = tools.models.MLModel(str(package), skip_model_load=True).get_spec()
    image = spec.description.input[0].type.imageType
    assert (image.height, image.width) == (64, 96)
    assert spec.description.metadata.userDefined["predicts"] == "depth"
    assert cli("convert", checkpoint, "--to", "coreml").status == 2
    monkeypatch.setattr("deploy.convert.to_coreml.TOLERANCE", 0)
    assert cli("convert", checkpoint, "--to", "coreml", "--output", fitted / "b.mlpackage").status == 1
    assert not (fitted / "b.mlpackage").exists()
    monkeypatch.setattr("deploy.convert.coreml_in_torch.OPERATIONS", {})
    result = cli("convert", checkpoint, "--to", "coreml", "--output", fitted / "c.mlpackage")
    assert "not compared with ONNX: add, cast, " in result.out


@pytest.mark.slow
def test_source_says_what_it_is(fitted: Path) -> None:
    source = open_source(fitted / "checkpoints" / "last.ckpt", (32, 64))
    assert source.reference.size == source.size == (32, 64)
    assert source.info.predicts == "depth"
    assert largest_difference(_torch(source.network), source.reference, random_images(source.size), "depth") < 1e-4


def needs(module: str, extra: str) -> Any:
    with quiet():  # what it prints when it is imported
        return pytest.importorskip(module, reason=f"needs the extra {extra}")


def _torch(network: nn.Module) -> Any:
    return lambda image: network(torch.from_numpy(image)).detach().numpy()


def _same(file: Path, exported: Path) -> Any:
    network, reference = load_network(file), OnnxNetwork(exported)
    assert network.size == reference.size
    assert network.predicts == "depth"
    assert network.canonical_focal_px is None
    assert largest_difference(reference, network, random_images(reference.size), "depth") < 1e-3
    return network


def _is_taken(file: Path, data_root: Path, fitted: Path, cli: Cli) -> None:
    """By predict and by evaluate."""
    assert cli("predict", file, data_root / "photos", "--output", fitted / "p").status == 0
    assert np.load(fitted / "p" / "a.npy").shape == (60, 90)
    yaml = fitted.parents[1] / "tiny.yaml"
    result = cli("evaluate", file, "--data", EXPERIMENTS / "base.yaml", "--data", yaml, "--split", "val")
    assert result.status == 0, result.err
