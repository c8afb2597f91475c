"""Camera frames in, depth at their size out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from deploy import load
from deploy.export.camera_input import add_camera, with_camera
from deploy.export.fp16_and_ort import write_ort
from deploy.inference.images import to_input
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.macs import count_macs
from tests.conftest import EXPERIMENTS, Cli
from tests.deploy.inference.test_teacher import foreign
from tests.helpers.fake_data import picture

FRAME = (90, 150)  # neither the network's size nor its shape


@pytest.fixture
def camera(exported: Path) -> Path:
    return add_camera(exported, FRAME)


def frame(seed: int = 0, size: tuple[int, int] = FRAME) -> np.ndarray:
    return np.asarray(cv2.resize(picture(seed, (30, 50)), size[::-1], interpolation=cv2.INTER_LINEAR))


def test_frames_in_and_depth_of_their_size_out(exported: Path, camera: Path) -> None:
    session = OnnxNetwork(camera).session
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("image", "tensor(uint8)", [*FRAME, 3])
    assert (given.name, given.type, given.shape) == ("depth", "tensor(float)", [*FRAME])
    depth = session.run(None, {"image": frame()})[0]
    expected = load(exported)(frame())
    np.testing.assert_allclose(depth, expected, rtol=0.03)
    assert np.abs(depth / expected - 1).mean() < 0.005
    np.testing.assert_array_equal(load(camera)(frame()), depth)


def test_the_frame_is_resized_as_images_are(tmp_path: Path) -> None:
    """A network that gives back the mean of the channels shows what it was given."""
    plain = foreign(tmp_path / "mean.onnx", (64, 96), (1, 1, 64, 96))
    model = onnx.load(plain)
    model.ir_version = 10
    onnx.helper.set_model_props(model, {"predicts": "inverse_depth"})
    for size in ((64, 96), (128, 192), (100, 300), (32, 48), (80, 110)):
        image = frame(1, size)
        onnx.save(with_camera(model, size), tmp_path / "camera.onnx")
        shown = OnnxNetwork(tmp_path / "camera.onnx").session.run(None, {"image": image})[0]
        expected = cv2.resize(to_input(image, (64, 96)).mean((0, 1)), size[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.abs(shown - expected).mean() < 0.003
        assert np.abs(shown - expected).max() < 0.03


def test_frames_of_another_size_are_brought_to_it(exported: Path, camera: Path) -> None:
    image = frame(2, (180, 300))
    depth = load(camera)(image)
    assert depth.shape == (180, 300)
    assert np.abs(depth / load(exported)(image) - 1).mean() < 0.01


def test_metadata_says_what_is_different(exported: Path, camera: Path) -> None:
    plain, about = OnnxNetwork(exported).metadata, OnnxNetwork(camera).metadata
    assert about["frames"] == "90x150 (height x width)"
    assert about["input"].startswith("image: RGB, uint8 (90, 150, 3)")
    assert about["output"] == "depth: float32 (90, 150), metres"
    changed = {"input", "output", "frames"}
    assert {key: value for key, value in about.items() if key not in changed} == {
        key: value for key, value in plain.items() if key not in changed
    }
    assert list(onnx.load(camera).opset_import) == list(onnx.load(exported).opset_import)
    assert count_macs(onnx.load(camera)) == count_macs(onnx.load(exported))


def test_a_canonical_camera_is_one_of_the_frames_pixels(exported: Path, tmp_path: Path) -> None:
    model = onnx.load(exported)
    onnx.helper.set_model_props(model, {"predicts": "depth", "canonical_focal_px": "80.0"})
    onnx.save(model, tmp_path / "canonical.onnx")
    made = add_camera(tmp_path / "canonical.onnx", FRAME)
    for focal_px in (60, 240):
        one, two = (load(path)(frame(), focal_px=focal_px) for path in (tmp_path / "canonical.onnx", made))
        assert np.abs(two / one - 1).mean() < 0.01


def test_int8_files_take_frames_too(exported: Path, data_root: Path, cli: Cli) -> None:
    assert cli("quantize", exported, data_root / "photos").status == 0
    int8 = exported.with_name("depth-int8.onnx")
    result = cli("export", int8, "--camera", "90x150")
    assert result.status == 0, result.err
    assert "frames of 90x150" in result.out
    made = exported.with_name("depth-int8-camera.onnx")
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(made).graph.node}
    assert OnnxNetwork(made).metadata["quantized"].startswith("int8")
    assert np.abs(load(made)(frame()) / load(int8)(frame()) - 1).mean() < 0.02


def test_verbs_take_files_with_a_camera(camera: Path, fitted: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("predict", camera, data_root / "photos" / "a.jpg", "--output", tmp_path / "p")
    assert result.status == 0, result.err
    assert np.load(tmp_path / "p" / "a.npy").shape == (60, 90)
    yaml = fitted.parents[1] / "tiny.yaml"
    result = cli("evaluate", camera, "--data", EXPERIMENTS / "base.yaml", "--data", yaml, "--split", "val")
    assert result.status == 0, result.err
    assert "size 90x150" in result.out


def test_what_cannot_take_frames_is_one_line(exported: Path, camera: Path, tmp_path: Path, cli: Cli) -> None:
    packed = tmp_path / "packed.ort"
    write_ort(exported, packed)
    for model, message in (
        (camera, "already has a camera input"),
        (foreign(tmp_path / "map.onnx", output=(1, 64, 96)), "not an image (1, 3, h, w) to a map (1, 1, h, w)"),
        (exported.with_name("absent.onnx"), "no such model"),
        (packed, "is in ONNX Runtime's own format; give the .onnx file that it was made from"),
    ):
        result = cli("export", model, "--camera", *FRAME, "--output", tmp_path / "made.onnx")
        assert result.status == 2, result
        assert message in result.err
        assert not (tmp_path / "made.onnx").exists()
    for options, message in (
        (("--camera", "0x64"), "size '0x64' is not HEIGHTxWIDTH, e.g. 192x640"),
        (("--camera", "90x150"), "depth-camera.onnx exists already"),
        ((), "depth.onnx: is exported already; give --camera HEIGHTxWIDTH to add a camera input"),
        (("--camera", "90x150", "--size", "64x96"), "--size applies to checkpoints"),
        (("--camera", "90x150", "--precision", "fp32"), "--precision applies to checkpoints"),
        (("--camera", "90x150", "--ort"), "--ort applies to checkpoints"),
    ):
        result = cli("export", exported, *options)
        assert result.status == 2
        assert message in result.err
        assert len(result.err.splitlines()) == 1
    with pytest.raises(ValueError, match="frames of 0x64 are empty"):
        with_camera(onnx.load(exported), (0, 64))


def test_a_file_that_disagrees_is_not_written(exported: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy.export import camera_input

    monkeypatch.setattr(camera_input, "_BEFORE", camera_input._BEFORE.replace("255.0", "200.0"))
    result = cli("export", exported, "--camera", *FRAME)
    assert result.status == 1
    assert "of white (0.2% is allowed)" in result.err
    assert not exported.with_name("depth-camera.onnx").exists()
