"""What ``load(file)(image)`` takes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from deploy.inference.load import DepthModel
from deploy.inference.model_info import ModelInfo
from deploy.inference.network import Network
from lightning_app.image_files import CorruptFrameError
from tests.helpers.fake_data import picture
from tests.helpers.image_bytes import STORED, turned

RGB = picture(1, (30, 50))
GREY = np.asarray(Image.fromarray(RGB).convert("L"))
UNIT = (RGB / 255).astype(np.float32)


class Brightness(Network):
    """A network whose depth is the brightness of the image plus 1."""

    runtime, path, size, info, threads = "none", Path("brightness.onnx"), (30, 50), ModelInfo(), None

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(image.mean(1, keepdims=True) + 1, dtype=np.float32)


MODEL = DepthModel(Brightness())
DEPTH = UNIT.mean(2) + 1


@pytest.mark.parametrize(
    "image",
    [
        RGB,
        UNIT,
        UNIT.astype(np.float64),
        UNIT.astype(">f4"),
        UNIT * np.float32(1 + 1e-6),
        np.asfortranarray(RGB),
        Image.fromarray(RGB),
        Image.fromarray(RGB).convert("RGBA"),
    ],
    ids=["uint8", "float32", "float64", "big-endian", "rounded", "Fortran", "PIL", "PIL RGBA"],
)
def test_images_that_are_taken(image: Any) -> None:
    np.testing.assert_allclose(MODEL(image), DEPTH, rtol=1e-5)


def test_views_and_half_precision_are_taken() -> None:
    np.testing.assert_allclose(MODEL(RGB[:, ::-1, ::-1]), DEPTH[:, ::-1], rtol=1e-5)
    np.testing.assert_allclose(MODEL(UNIT.astype(np.float16)), DEPTH, rtol=1e-3)


def test_grey_pil_images_of_8_and_16_bits_are_alike() -> None:
    depth = MODEL(Image.fromarray(GREY))
    np.testing.assert_allclose(depth, GREY / 255 + 1, rtol=1e-5)
    np.testing.assert_array_equal(MODEL(Image.fromarray(GREY.astype(np.uint16) * 257)), depth)


@pytest.mark.parametrize("orientation", STORED)
def test_files_and_pil_images_are_turned_upright(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "phone.png"
    path.write_bytes(turned(RGB, orientation))
    with Image.open(path) as opened:
        for image in (path, str(path), opened):
            np.testing.assert_allclose(MODEL(image), DEPTH, rtol=1e-5)


WRONG: dict[str, Any] = {
    "is not in [0, 1]": [
        RGB.astype(np.float32),
        RGB.astype(np.float64),
        (UNIT - 0.45) / 0.22,
        UNIT * np.nan,
        np.where(UNIT > 0.5, np.float32(np.inf), UNIT),
        np.where(UNIT > 0.5, np.float32(np.nan), UNIT),
    ],
    "is not RGB (H, W, 3)": [
        RGB.transpose(2, 0, 1),
        RGB[..., 0],
        RGB[..., :1],
        np.dstack([RGB, GREY]),
        RGB[None],
        RGB[:0],
        RGB[:, :0],
        np.array(3, np.uint8),
        UNIT.transpose(2, 0, 1),
    ],
    "is not an image": [
        RGB.astype(np.uint16) * 257,
        RGB.astype(np.int64),
        RGB.astype(np.int8),
        RGB > 100,
        UNIT.astype(np.complex64),
        RGB.astype(object),
        torch.from_numpy(RGB.copy()),
        torch.from_numpy(UNIT).permute(2, 0, 1),
        RGB.tolist(),
        None,
        b"bytes",
    ],
}


@pytest.mark.parametrize(("reason", "number"), [(key, n) for key, values in WRONG.items() for n in range(len(values))])
def test_other_arrays_are_refused_by_what_is_taken(reason: str, number: int) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        MODEL(WRONG[reason][number])
    assert reason in str(refused.value)
    assert "one RGB array (H, W, 3) as uint8 or as float in [0, 1]" in str(refused.value)


def test_other_pil_images_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 bits per channel"):
        MODEL(Image.fromarray(GREY.astype(np.float32)))
    with pytest.raises(CorruptFrameError, match=r"absent\.jpg: no such image"):
        MODEL(tmp_path / "absent.jpg")


@pytest.mark.parametrize("focal_px", [0.0, -5.0, float("nan"), float("inf")])
def test_focal_lengths_are_positive_and_finite(focal_px: float) -> None:
    class Canonical(Brightness):
        info = ModelInfo(canonical_focal_px=100.0)

    with pytest.raises(ValueError, match="not positive and finite"):
        DepthModel(Canonical())(RGB, focal_px)
