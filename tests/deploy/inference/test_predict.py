"""Predictions of images: which are made, kept, refused and skipped, and their pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy import load
from deploy.inference.depth_picture import depth_picture
from tests.conftest import Cli


def outputs(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.mark.parametrize("kind", ["onnx", "checkpoint", "run folder"])
def test_arrays_and_pictures(
    kind: str, exported: Path, fitted: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    model = {"onnx": exported, "checkpoint": fitted / "checkpoints" / "best.ckpt", "run folder": fitted}[kind]
    result = cli("predict", model, data_root / "photos", "--output", tmp_path / "out")
    assert result.status == 0, result.err
    assert "3 images -> " in result.out
    for name, size in (("a", (60, 90)), ("b", (80, 70)), ("more/c", (64, 96))):
        depth = np.load(tmp_path / "out" / f"{name}.npy")
        assert depth.dtype == np.float32
        assert depth.shape == size
        assert ((depth > 1) & (depth < 100)).all()
        picture = Image.open(tmp_path / "out" / f"{name}.png")
        assert picture.width > 2 * size[1]
    expected = load(model)(data_root / "photos" / "a.jpg")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "a.npy"), expected)


def test_several_sources(
    exported: Path, data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are relative to the deepest folder that contains all sources."""
    photos = data_root / "photos"
    monkeypatch.chdir(photos)
    for number, (sources, names) in enumerate(
        (
            ((photos / "a.jpg", photos / "b.png"), {"a", "b"}),
            ((photos / "a.jpg", photos / "more"), {"a", "more/c"}),
            ((photos / "*.jpg",), {"a"}),
            (("*.jpg", "more"), {"a", "more/c"}),
            (("more/../a.jpg", "more"), {"a", "more/c"}),
            ((photos, photos / "a.jpg"), {"a", "b", "more/c"}),
        )
    ):
        out = tmp_path / str(number)
        result = cli("predict", exported, *sources, "--output", out)
        assert result.status == 0, result.err
        assert set(outputs(out)) == {f"{name}{suffix}" for name in names for suffix in (".npy", ".png")}
    for wrong in ("*.bmp", "nothing.jpg"):
        result = cli("predict", exported, photos, wrong, "--output", tmp_path / "wrong")
        assert result.status == 2
        assert f"{wrong}: no such " in result.err
    assert not (tmp_path / "wrong").exists()


def test_a_corrupt_image_does_not_lose_the_others(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    image = data_root / "photos" / "a.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[:500])
    call = ("predict", exported, data_root / "photos", "--output", tmp_path / "p")
    first = cli(*call)
    assert first.status == 1
    assert "skipped: " in first.err
    assert "a.jpg: corrupt image" in first.err
    assert "1 of 3 images are corrupt; --skip-corrupt accepts that" in first.err.splitlines()[-1]
    assert outputs(tmp_path / "p") == ["b.npy", "b.png", "more/c.npy", "more/c.png"]
    skipped = cli(*call, "--skip-corrupt")
    assert skipped.status == 0
    assert "0 images -> " in skipped.out
    assert "2 already there, 1 corrupt images skipped" in skipped.out
    image.write_bytes(whole)
    made = [(path, path.stat().st_mtime_ns) for path in (tmp_path / "p").rglob("*.*")]
    assert cli(*call).status == 0  # fills in what is missing
    assert "a.npy" in outputs(tmp_path / "p")
    assert all(path.stat().st_mtime_ns == time for path, time in made)
    for path in (data_root / "photos").rglob("*.*"):
        path.write_bytes(b"no image")
    nothing = cli("predict", exported, data_root / "photos", "--output", tmp_path / "q", "--skip-corrupt")
    assert nothing.status == 1
    assert "3 of 3 images are corrupt" in nothing.err


def test_outputs_of_something_else_are_refused(
    exported: Path, fitted: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    out, image = tmp_path / "out", data_root / "photos" / "a.jpg"
    call = ("predict", exported, image, "--output", out)
    assert cli(*call).status == 0
    before = (out / "a.npy").read_bytes()
    other = cli("predict", fitted, image, "--output", out)  # another file of the same network
    assert other.status == 2
    assert "a.png: exists, but not made from this image and model; give --overwrite" in other.err
    shutil.copy(data_root / "photos" / "b.png", image)
    assert cli(*call).status == 2
    assert (out / "a.npy").read_bytes() == before
    assert cli(*call, "--overwrite").status == 0
    assert (out / "a.npy").read_bytes() != before
    (out / "a.npy").unlink()  # interrupted between picture and array
    assert cli(*call).status == 0
    assert (out / "a.npy").exists()
    (out / "a.png").unlink()  # an array that somebody else wrote
    refused = cli(*call)
    assert refused.status == 2
    assert "a.npy: exists, but not made from this image and model" in refused.err
    (out / "a.png").write_bytes(b"damaged")
    assert cli(*call).status == 2


def test_pictures_of_predictions_are_no_images(exported: Path, data_root: Path, cli: Cli) -> None:
    photos = data_root / "photos"
    call = ("predict", exported, photos, "--output", photos / "depth")
    assert "3 images -> " in cli(*call).out
    again = cli(*call)
    assert again.status == 0, again.err
    assert "skipped 3 pictures of earlier predictions" in again.out
    assert "0 images -> " in again.out
    assert len(list(photos.rglob("*.npy"))) == 3
    alone = cli("predict", exported, photos / "depth", "--output", data_root / "more")
    assert alone.status == 2
    assert "no image, only pictures of earlier predictions" in alone.err


def test_two_images_of_one_name_are_refused(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copy(data_root / "photos" / "a.jpg", data_root / "photos" / "a.jpeg")
    result = cli("predict", exported, data_root / "photos", "--output", tmp_path / "out")
    assert result.status == 2
    assert "several images named a differ only in their suffix" in result.err


def test_a_folder_that_is_no_run(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("predict", tmp_path, data_root / "photos", "--output", tmp_path / "out")
    assert result.status == 2
    assert "a folder without a best checkpoint" in result.err


@pytest.mark.parametrize("size", [(375, 1242), (1600, 1200), (24, 32), (64, 4000)])
@pytest.mark.parametrize("predicts", ["depth", "inverse_depth"])
def test_pictures(size: tuple[int, int], predicts: str) -> None:
    """Image on the left, depth beside it, both of one size; the scale runs from near to far."""
    image = np.full((*size, 3), 200, np.uint8)
    depth = np.linspace(50, 2, size[0], dtype=np.float32)[:, None].repeat(size[1], 1)  # near at the bottom
    prediction = depth if predicts == "depth" else np.float32(1) / depth
    picture = np.asarray(depth_picture(image, prediction.astype(np.float32), predicts))
    width = (picture.shape[1] - 96) // 2
    assert 320 <= max(width, round(width * size[0] / size[1])) <= 1280
    assert (picture[: round(width * size[0] / size[1]) - 1, :width] == 200).all()
    panel = picture[:, width : 2 * width].astype(int).sum(2)
    rows = round(width * size[0] / size[1])
    assert panel[rows - 2].mean() > panel[1].mean() + 300  # near is bright
    bar = picture[:, 2 * width + 20].astype(int).sum(1)
    assert bar[20] > bar[-20] + 300


def test_a_prediction_without_depth_has_a_picture_too() -> None:
    flat = depth_picture(np.zeros((40, 60, 3), np.uint8), np.full((40, 60), 7, np.float32), "depth")
    assert flat.size == (2 * 320 + 96, 213)
