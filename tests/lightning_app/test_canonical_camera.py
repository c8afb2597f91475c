"""The canonical camera: a striped wall whose stripes look equally wide is equally far, whatever the camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from datamodules import Augmentation, Frame
from datamodules.augmentation import resized
from datamodules.reader import pinhole
from deploy import load
from lightning_app.canonical_camera import canonical_scale
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

BASE = EXPERIMENTS / "base.yaml"
CANONICAL_PX, STRIPE_M = 80.0, 0.5


def wall(focal_px: float, depth_m: float, size: tuple[int, int] = (128, 384)) -> Frame:
    """A wall across the view with upright stripes, as a camera of this focal length sees it."""
    columns = np.arange(size[1])
    stripes = 127 + 120 * np.sin(2 * np.pi * columns / (focal_px * STRIPE_M / depth_m))
    image = np.broadcast_to(stripes[None, :, None], (*size, 3)).astype(np.uint8)
    depth = np.full(size, depth_m, np.float32)
    intrinsics = pinhole(focal_px, focal_px, (size[1] - 1) / 2, (size[0] - 1) / 2)
    return Frame(np.ascontiguousarray(image), depth, intrinsics, "real", Path("wall"))


def stripe_px(image: torch.Tensor) -> float:
    """The width of a stripe in an image, (3, H, W), by its strongest frequency."""
    row = image[0].float().mean(0).numpy()
    spectrum = np.abs(np.fft.rfft((row - row.mean()) * np.hanning(len(row)), 16 * len(row)))
    return 16 * len(row) / int(spectrum.argmax())


@pytest.mark.parametrize("focal_px", [300.0, 500.0])
@pytest.mark.parametrize("depth_m", [4.0, 9.0])
def test_a_wall_is_as_far_as_its_stripes_look(focal_px: float, depth_m: float) -> None:
    """Also after zoom and flip, which change the focal length."""
    frame = wall(focal_px, depth_m)
    samples = [Augmentation(photometric=0, zoom=2)(frame, (64, 192), key) for key in range(4)]
    for sample in (*samples, resized(frame, (64, 192)), resized(frame, (64, 128))):
        fx, fy = sample["intrinsics"][0, 0], sample["intrinsics"][1, 1]
        canonical = sample["depth"] * canonical_scale(fx, fy, CANONICAL_PX)
        # What is wider than high squeezes the columns alone; the canonical camera has square pixels.
        seen = stripe_px(sample["image"]) * float((fy / fx) ** 0.5)
        assert float(canonical.mean()) == pytest.approx(CANONICAL_PX * STRIPE_M / seen, rel=0.02)


class ByStripes(torch.nn.Module):
    """A perfect network for walls: canonical depth is the canonical focal length times the stripe over its width."""

    predicts = "depth"

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [torch.full((1, *each.shape[1:]), CANONICAL_PX * STRIPE_M / stripe_px(each)) for each in image]
        )


def test_one_network_is_right_for_every_camera() -> None:
    """Back from the canonical camera, each wall is where it stands."""
    network = ByStripes()
    for focal_px, depth_m in ((300.0, 4.0), (300.0, 9.0), (500.0, 9.0)):
        sample = resized(wall(focal_px, depth_m), (64, 192))
        k = sample["intrinsics"]
        metres = network(sample["image"][None]) / canonical_scale(k[0, 0], k[1, 1], CANONICAL_PX)
        assert float(metres.mean()) == pytest.approx(depth_m, rel=0.02)


@pytest.mark.slow
def test_it_is_carried_from_training_to_the_file(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    run = tmp_path / "run"
    fit = ("fit", "-c", BASE, "-c", yaml, "--model.canonical_focal_px", CANONICAL_PX)
    result = cli(*fit, "--trainer.default_root_dir", run)
    assert result.status == 0, result.err
    checkpoint, exported = run / "checkpoints" / "last.ckpt", tmp_path / "depth.onnx"
    assert cli("export", checkpoint, "--output", exported).status == 0
    metadata = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    assert float(metadata["canonical_focal_px"]) == CANONICAL_PX
    scores = []
    for model in (checkpoint, exported):
        call = ("evaluate", model, "--data", BASE, "--data", yaml, "--split", "val", "--overwrite")
        result = cli(*call, "--protocol", "kitti-eigen-metric,kitti-eigen", "--output", tmp_path / "scores.json")
        assert result.status == 0, result.err
        scores.append(json.loads((tmp_path / "scores.json").read_text())["results"])
    for name in scores[0]:
        assert scores[0][name] == pytest.approx(scores[1][name], rel=1e-3)
    # What validation in training said of the last weights, with its own way back from the canonical camera.
    logged = json.loads((run / "fit.json").read_text())["results"]["val step 4 kitti-eigen"]
    assert scores[0]["kitti-eigen"] == pytest.approx(logged, rel=1e-3)


def test_a_prediction_needs_the_focal_length(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml, run = tiny_yaml(tmp_path / "tiny.yaml"), tmp_path / "run"
    fit = ("fit", "-c", BASE, "-c", yaml, "--trainer.max_steps", 1, "--trainer.limit_val_batches", 0)
    for name, options in (("plain", ()), ("canonical", ("--model.canonical_focal_px", CANONICAL_PX))):
        assert cli(*fit, *options, "--trainer.default_root_dir", run / name).status == 0
    plain, canonical = (run / name / "checkpoints" / "last.ckpt" for name in ("plain", "canonical"))
    call = ("predict", canonical, data_root / "photos", "--output", tmp_path / "p", "--overwrite")
    refused = cli(*call)
    assert refused.status == 2
    assert "was trained for a canonical camera: give --focal-px" in refused.err
    assert cli("predict", plain, data_root / "photos", "--focal-px", 90, "--output", tmp_path / "p").status == 2
    image = np.asarray(Image.open(data_root / "photos" / "a.jpg"))
    near, far = (load(canonical)(image, focal_px=focal) for focal in (90.0, 180.0))
    np.testing.assert_allclose(far, 2 * near, rtol=1e-5)
    assert cli(*call, "--focal-px", 180).status == 0
    np.testing.assert_allclose(np.load(tmp_path / "p" / "a.npy"), far, rtol=1e-5)
