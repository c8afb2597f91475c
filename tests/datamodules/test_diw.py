from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from datamodules import Diw
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import picture, write_diw


def test_diw_counts_from_one_and_says_y_first(data_root: Path) -> None:
    write_diw(data_root / "diw")
    frames = list(Diw("diw", "diw/DIW_test.csv"))
    pairs = [frame.pair.tolist() for frame in frames if frame.pair is not None]
    assert pairs == [[59, 0, 0, 89, -1], [0, 0, 79, 69, 1], [4, 5, 6, 7, 1]]
    assert frames[0].image.shape == (60, 90, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows"),
        ("a.jpg\n", "1 rows, expected an even number: an image, then its ordinal pair"),
        ("a.jpg\n1,1,2,2,=,9,9\n", "is not 'y_A,x_A,y_B,x_B,ord,width,height'"),
        ("2011/drive 1 l\n2011/drive 2 l\n", "is it a split file of another data set"),
        ("a.jpg\n1,1,12,2,<,9,9\n", "has a point outside its 9x9 image"),
    ],
)
def test_diw_refuses_other_lists(data_root: Path, text: str, message: str) -> None:
    write_diw(data_root / "diw")
    (data_root / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        len(Diw("diw", "list.csv"))


def test_diw_refuses_an_image_of_another_size(data_root: Path) -> None:
    write_diw(data_root / "diw")
    Image.fromarray(picture(0, (30, 45))).save(data_root / "diw" / "DIW_test" / "0.jpg")
    with pytest.raises(CorruptFrameError, match="size is 45x30, the split file has 90x60"):
        Diw("diw", "diw/DIW_test.csv")[0]
