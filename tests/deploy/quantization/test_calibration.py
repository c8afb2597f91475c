"""Images to calibrate on: chosen, corrupt, unlike what the network knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from deploy.export.stem_statistics import stem_statistics
from deploy.export.to_onnx import to_onnx
from deploy.inference.images import spread
from deploy.inference.model_info import ModelInfo
from deploy.quantization.calibration import folder_images, ranges
from deploy.quantization.calibration_shift import calibration_shift, range_difference, warn_if_ranges_differ
from deploy.quantization.quantizer import prepared
from lightning_app.checkpoints import Checkpoint
from lightning_app.image_files import find_images
from models import DepthNet
from tests.conftest import EXPERIMENTS, Cli
from tests.helpers.fake_data import picture

BASE = EXPERIMENTS / "base.yaml"


def known_stem(exported: Path, fitted: Path) -> None:
    """Give an exported file the statistics of its training."""
    model = onnx.load(exported)
    network = Checkpoint.open(fitted / "checkpoints" / "last.ckpt").network
    metadata = {each.key: each.value for each in model.metadata_props}
    onnx.helper.set_model_props(model, metadata | stem_statistics(network).to_metadata())
    onnx.save(model, exported)


def test_methods_cut_off_less_or_more(exported: Path, photos: Path) -> None:
    model = prepared(exported)
    inputs = folder_images(photos, (64, 96), 4).calibrate
    whole, cut = (ranges(model, inputs, method, title=None) for method in ("minmax", "percentile"))
    for name in whole.keys():  # noqa: SIM118
        (low, high), (cut_low, cut_high) = whole[name].range_value, cut[name].range_value
        assert np.squeeze(cut_low) >= np.squeeze(low) - 1e-5
        assert np.squeeze(cut_high) <= np.squeeze(high) + 1e-5
    assert range_difference(whole, whole) == 0
    assert ranges(model, inputs, "entropy", title=None).keys() == whole.keys()


def test_calibration_on_an_experiment(exported: Path, fitted: Path, cli: Cli) -> None:
    yaml = fitted.parents[1] / "tiny.yaml"
    result = cli("quantize", exported, "--data", BASE, "--data", yaml, "--number", 2)
    assert result.status == 0, result.err
    assert "calibrated on 2 images of VirtualKitti vkitti" in result.out


def test_corrupt_images_stop_or_are_skipped(exported: Path, photos: Path, cli: Cli) -> None:
    image = photos / "01.png"
    image.write_bytes(image.read_bytes()[:200])
    refused = cli("quantize", exported, photos)
    assert refused.status == 1
    assert "01.png: corrupt image" in refused.err
    assert not exported.with_name("depth-int8.onnx").exists()
    skipped = cli("quantize", exported, photos, "--skip-corrupt")
    assert skipped.status == 0
    assert "skipped: " in skipped.err
    assert "calibrated on 8 images" in skipped.out
    for path in photos.iterdir():
        path.write_bytes(b"no image")
    assert cli("quantize", exported, photos, "--skip-corrupt", "--overwrite").status == 1


def test_images_unlike_the_training_images_are_warned_of(
    exported: Path, fitted: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    known_stem(exported, fitted)
    dark = tmp_path / "dark"
    dark.mkdir()
    for index in range(4):
        Image.fromarray(picture(index, (64, 96)) // 16).save(dark / f"{index}.png")
    result = cli("quantize", exported, dark)
    assert result.status == 0
    assert "warning: the calibration images are unlike those that the network was trained on" in result.err
    assert len(result.err.splitlines()) == 1


def test_ranges_that_differ_are_warned_of(
    few_layers: Path, photos: Path, fitted: Path, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    model, inputs = prepared(few_layers), folder_images(photos, (64, 96), 4).calibrate
    bright, dark = (ranges(model, [image / np.float32(by) for image in inputs], title=None) for by in (1, 16))
    assert range_difference(bright, dark) == pytest.approx(range_difference(dark, bright))
    assert range_difference(bright, dark) > 0.4
    warn_if_ranges_differ(dark, bright, "the validation split")
    assert (
        "the activation ranges on the calibration images and on the validation split differ" in capfd.readouterr().err
    )
    warn_if_ranges_differ(bright, bright, "the validation split")
    assert capfd.readouterr().err == ""
    data = ("--data", BASE, "--data", fitted.parents[1] / "tiny.yaml")
    assert "compare" in cli("quantize", few_layers, photos, *data).out


@pytest.mark.slow
def test_stem_statistics_are_those_of_its_batch_norm(tmp_path: Path) -> None:
    network = DepthNet("mobilenetv4_conv_small").train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a plain average over batches, here of one
    images = np.random.default_rng(0).random((4, 3, 64, 96), dtype=np.float32)
    network(torch.from_numpy(images))
    network.eval()
    model = to_onnx(network, (64, 96))
    known = stem_statistics(network)
    assert calibration_shift(model, known, [image[None] for image in images]) == pytest.approx(0, abs=0.01)
    assert (calibration_shift(model, known, [image[None] / 8 for image in images]) or 0) > 1
    assert calibration_shift(model, ModelInfo(), [images[:1]]) is None
    assert stem_statistics(torch.nn.Conv2d(3, 8, 3)) == ModelInfo()


def test_images_are_spread_evenly_and_kept_apart(photos: Path) -> None:
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread(range(3), 64) == [0, 1, 2]
    images = folder_images(photos, (64, 96), 64)
    assert len(images.calibrate) == 9
    assert not any(np.array_equal(one, other) for one in images.calibrate for other in images.judge)


def test_depth_maps_are_no_images(tmp_path: Path) -> None:
    Image.fromarray(picture(0, (8, 8))).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "a-depth.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "grey.png")
    assert [path.name for path in find_images(tmp_path)] == ["a.png", "grey.png"]
