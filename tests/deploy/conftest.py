"""What tests of quantized files share."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.fake_data import picture
from tests.helpers.few_layers import write_few_layers


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images: three of them are kept back."""
    folder = tmp_path / "twelve"
    folder.mkdir()
    for index in range(12):
        Image.fromarray(picture(index, (70, 100))).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture
def few_layers(tmp_path: Path) -> Path:
    """A network of four convolutions and an addition."""
    return write_few_layers(tmp_path / "few.onnx")
