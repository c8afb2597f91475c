"""The forms in which people have predictions: the same values give the same numbers, whatever the form."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.depth_io import write_kitti_depth
from datamodules.reader import CorruptFrameError
from lightning_app.evaluation.prediction_arrays import PredictionArrays
from lightning_app.evaluation.prediction_files import find_predictions
from lightning_app.evaluation.score_predictions import score
from tests.helpers.fake_data import DRIVE

DRIVE_NAME = Path(DRIVE).name
MAPS = (np.random.default_rng(0).integers(2 * 256, 60 * 256, (3, 6, 20)) / 256).astype(np.float32)
FRAMES = [Path(f"root/drive_a_sync/image_02/data/{name:010d}.png") for name in (1, 2, 3)]


def one_array(path: Path, maps: Any = MAPS) -> Path:
    np.save(path.with_suffix(".npy"), maps)
    return path.with_suffix(".npy")


def archive(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def folder(path: Path, name: Callable[[int], str]) -> Path:
    path.mkdir()
    for frame, each in enumerate(MAPS):
        file = path / name(frame)
        if file.suffix == ".png":
            write_kitti_depth(file, each)
        elif file.suffix == ".npz":
            np.savez(file, depth=each)
        else:
            np.save(file, each)
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "names": lambda path: folder(path, lambda frame: f"{frame:010d}.npy"),
    "npz each": lambda path: folder(path, lambda frame: f"{frame:010d}.npz"),
    "array": one_array,
    "array of float64": lambda path: one_array(path, MAPS.astype(np.float64)),
    "channels": lambda path: one_array(path, MAPS[:, None]),
    "channels last": lambda path: one_array(path, MAPS[..., None]),
    "npz array": lambda path: archive(path, disparities=MAPS),
    "npz by name": lambda path: archive(path, **{f"{frame:010d}": each for frame, each in enumerate(MAPS)}),
    "npz by order": lambda path: archive(path, **{f"arr_{frame}": each for frame, each in enumerate(MAPS)}),
    "bts": lambda path: folder(path, lambda frame: f"{DRIVE_NAME}_{frame:010d}.png"),
    "lines": lambda path: folder(path, lambda frame: f"{frame}.png"),
    "padded lines": lambda path: folder(path, lambda frame: f"{frame:06d}.npy"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_numbers(form: str, annotated: Path, tmp_path: Path) -> None:
    plain = score(FORMS["names"](tmp_path / "plain"), [annotated], protocols=["kitti-eigen-improved"])
    predictions = FORMS[form](tmp_path / "p")
    pngs = predictions.is_dir() and any(predictions.glob("*.png"))
    found = score(predictions, [annotated], protocols=["kitti-eigen-improved"], scale=256 if pngs else None)
    assert found["kitti-eigen-improved"]["frames"] == 3
    assert found == plain


def test_float16_is_read_as_it_is(tmp_path: Path) -> None:
    half = MAPS[0].astype(np.float16)
    np.save(tmp_path / "a.npy", half)
    np.testing.assert_array_equal(PredictionArrays(None).read(tmp_path / "a.npy")[0, 0].numpy(), half)


def test_a_transposed_view_of_an_array_is_read_in_its_order(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ascontiguousarray(MAPS[0].T).T)  # numpy writes it in Fortran order
    np.testing.assert_array_equal(PredictionArrays(None).read(tmp_path / "a.npy")[0, 0].numpy(), MAPS[0])


def test_an_array_is_read_in_any_order(tmp_path: Path) -> None:
    arrays, file = PredictionArrays(None), archive(tmp_path / "a", disparities=MAPS)
    for index in (0, 2, 2, 1, 0):
        np.testing.assert_array_equal(arrays.read(file, "disparities", index)[0, 0].numpy(), MAPS[index])


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("form", ["npy", "npz", "lines"])
def test_the_count_must_be_that_of_the_frames(form: str, count: int, tmp_path: Path) -> None:
    maps = np.ones((count, 6, 20), np.float32)
    if form == "lines":
        predictions = tmp_path / "p"
        predictions.mkdir()
        for line, each in enumerate(maps):
            np.save(predictions / f"{line}.npy", each)
    else:
        predictions = one_array(tmp_path / "p", maps) if form == "npy" else archive(tmp_path / "p", depth=maps)
    with pytest.raises((ValueError, FileNotFoundError), match=f"{count}"):
        find_predictions(predictions, FRAMES, skip_missing=False)


def test_names_that_are_lines_too_are_ambiguous(tmp_path: Path) -> None:
    """0000000001 is the first frame by its name and the second line by its number."""
    predictions = folder(tmp_path / "p", lambda line: f"{line:010d}.npy")
    with pytest.raises(ValueError, match=r"ambiguous: by its name, .*0000000001.npy is the prediction of"):
        find_predictions(predictions, FRAMES, skip_missing=False)


def test_two_files_for_a_name_are_refused(tmp_path: Path) -> None:
    predictions = folder(tmp_path / "p", lambda line: f"{line + 1:010d}.npy")
    np.savez(predictions / "0000000001.npz", MAPS[0])
    with pytest.raises(ValueError, match=r"0000000001.npz: 0000000001.npy is another prediction"):
        find_predictions(predictions, FRAMES, skip_missing=False)


def test_hidden_copies_are_no_predictions(tmp_path: Path) -> None:
    predictions = folder(tmp_path / "p", lambda line: f"{line}.npy")
    (predictions / "._0.npy").write_bytes(b"a copy of macOS")
    assert len(find_predictions(predictions, FRAMES, skip_missing=False)) == 3


def test_a_folder_with_one_array_of_all_frames_says_to_give_the_file(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    one_array(tmp_path / "p" / "disps_eigen_split")
    with pytest.raises(FileNotFoundError, match="if that is an array of all frames, give the file itself"):
        find_predictions(tmp_path / "p", FRAMES, skip_missing=False)


def header_only(shape: tuple[int, ...]) -> bytes:
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def damaged() -> dict[str, bytes]:
    good = BytesIO()
    np.save(good, MAPS[0])
    content = good.getvalue()
    pickled = BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    return {
        "nothing.npy": b"",
        "text.npy": b"nothing",
        "truncated.npy": content[:-100],
        "half a header.npy": content[:40],
        "no tuple.npy": content.replace(b"(6, 20)", b"(6, 20("),  # a TokenError
        "no type.npy": content.replace(b"'<f4'", b"'<zz'"),
        "negative.npy": content.replace(b"(6, 20)", b"(-6,20)"),
        "huge.npy": header_only((10**6, 10**6)),
        "pickle.npy": pickled.getvalue(),
        "text.npz": b"PK\x03\x04nothing",
    }


@pytest.mark.parametrize("name", damaged())
def test_damaged_arrays_are_named(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(damaged()[name])
    with pytest.raises(CorruptFrameError, match=name):
        PredictionArrays(None).read(file)


def test_what_inflates_to_gigabytes_is_refused_by_its_header(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as bomb, bomb.open("a.npy", "w") as entry:
        entry.write(header_only((30000, 30000)))
        for _ in range(30):
            entry.write(bytes(2**20))
    with pytest.raises(CorruptFrameError, match=r"bomb.npz: a prediction of 30000x30000 is too large"):
        PredictionArrays(None).read(tmp_path / "bomb.npz")


def test_flipped_bits_in_an_archive_are_found(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", depth=MAPS[0])
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CorruptFrameError, match=r"a\.npz: corrupt prediction"):
        PredictionArrays(None).read(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", [".npy", ".png"])
def test_integers_need_a_scale(suffix: str, tmp_path: Path) -> None:
    units = np.full((6, 20), 2560, np.uint16)
    file = tmp_path / f"a{suffix}"
    Image.fromarray(units).save(file) if suffix == ".png" else np.save(file, units)
    with pytest.raises(ValueError, match=r"(give|need) --scale"):
        PredictionArrays(None).read(file)
    np.testing.assert_array_equal(PredictionArrays(256).read(file).numpy(), 10)


def test_a_scale_for_metres_and_pngs_of_8_bits_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", MAPS[0])
    with pytest.raises(ValueError, match="--scale divides integers, but it holds float32"):
        PredictionArrays(256).read(tmp_path / "a.npy")
    Image.fromarray(np.zeros((6, 20), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(CorruptFrameError, match="found 8 bits"):
        PredictionArrays(256).read(tmp_path / "a.png")
