"""Photographs as phones and cameras write them, given to the verbs that read folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import Photos
from tests.conftest import Cli
from tests.helpers.fake_data import picture
from tests.helpers.image_bytes import claimed_png, encoded, turned

RGB = picture(5, (60, 90))
GREY = np.asarray(Image.fromarray(RGB).convert("L"))


def test_predictions_are_upright_in_8_and_16_bits(exported: Path, tmp_path: Path, cli: Cli) -> None:
    files = {
        "upright": encoded(Image.fromarray(RGB), "PNG"),
        "phone": turned(RGB, 6),
        "mirrored": turned(RGB, 7),
        "tail": encoded(Image.fromarray(RGB), "PNG") + b"tail" * 999,
        "grey": encoded(Image.fromarray(GREY), "PNG"),
        "sixteen": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
    }
    depths = {}
    for name, data in files.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        result = cli("predict", exported, tmp_path / f"{name}.png", "--output", tmp_path / "out")
        assert result.status == 0, result.err
        depths[name] = np.load(tmp_path / "out" / f"{name}.npy")
        assert depths[name].shape == (60, 90)
    for name in ("phone", "mirrored", "tail"):
        np.testing.assert_array_equal(depths[name], depths["upright"])
    np.testing.assert_array_equal(depths["sixteen"], depths["grey"])
    assert np.abs(depths["grey"] / depths["upright"] - 1).max() > 1e-4


@pytest.mark.parametrize("verb", ["predict", "quantize", "label"])
def test_huge_images_are_damaged_images(verb: str, exported: Path, photos: Path, cli: Cli) -> None:
    (photos / "05.png").write_bytes(claimed_png(15_000, 13_000))
    result = cli(verb, exported, photos, "--output", photos.with_name("refused.onnx"))
    assert result.status == 1
    assert "05.png: corrupt image" in result.err
    result = cli(verb, exported, photos, "--output", photos.with_name("skipped.onnx"), "--skip-corrupt")
    assert result.status == 0, result.err
    assert "skipped: " in result.err
    assert "Traceback" not in result.err


def test_labels_fit_upright_photographs(exported: Path, tmp_path: Path, cli: Cli) -> None:
    photographs, elsewhere = tmp_path / "photographs", tmp_path / "elsewhere"
    for folder in (photographs, elsewhere, photographs / "@eaDir"):
        folder.mkdir()
        (folder / "phone.jpg").write_bytes(turned(RGB, 6, "JPEG"))
    (photographs / "linked").symlink_to(elsewhere)
    (photographs / "loop").symlink_to(photographs)
    (photographs / "film.mov").write_bytes(b"")
    result = cli("label", exported, photographs, "--output", tmp_path / "labels")
    assert result.status == 0, result.err
    assert "2 labels" in result.out
    reader = Photos(str(photographs), str(tmp_path / "labels"))
    assert [path.relative_to(photographs).as_posix() for path in reader.paths] == ["linked/phone.jpg", "phone.jpg"]
    for frame in reader:
        assert frame.inv_depth is not None
        assert frame.image.shape[:2] == frame.inv_depth.shape == (60, 90)
