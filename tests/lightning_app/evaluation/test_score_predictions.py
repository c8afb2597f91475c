"""Anyone's predictions, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules import KittiRaw, Reader
from datamodules.depth_io import write_kitti_depth
from lightning_app.evaluation.score_predictions import score
from tests.conftest import Cli
from tests.helpers.fake_data import write_nyu_folders
from tests.lightning_app.conftest import data_yaml, results
from tests.lightning_app.evaluation.test_protocols import errors, reference


def mean_errors(name: str, reader: Reader, predictions: list[Any]) -> dict[str, float]:
    frames = [
        errors(*reference(name, p.astype(np.float64), f.depth.astype(np.float64)))
        for p, f in zip(predictions, reader, strict=True)
    ]
    return {key: float(np.mean([frame[key] for frame in frames])) for key in frames[0]}


def test_own_predictions_score_as_the_network_does(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    """`predict` and `score` take the way round by files that `evaluate` takes in memory."""
    yaml = data_yaml(tmp_path / "d.yaml", "KittiRaw, root: kitti, split: kitti/val.txt, depth: forward_x")
    predictions = tmp_path / "predictions"
    assert cli("predict", exported, data_root / "kitti", "--output", predictions).status == 0
    for call in (("score", predictions), ("evaluate", exported)):
        output = tmp_path / f"{call[0]}.json"
        result = cli(*call, "--data", yaml, "--protocol", "kitti-eigen,kitti-paper", "--output", output)
        assert result.status == 0, result.err
    one, two = results(tmp_path / "score.json"), results(tmp_path / "evaluate.json")
    for name in one:
        assert one[name] == pytest.approx(two[name], rel=1e-4)


@pytest.mark.parametrize("form", ["depth.npy", "depth.png", "inverse.npy", "kb.npy"])
def test_score_is_the_reference(form: str, annotated: Path, tmp_path: Path, cli: Cli) -> None:
    reader = KittiRaw("large", "large/val.txt", depth="annotated")
    random, folder = np.random.default_rng(0), tmp_path / "predictions"
    folder.mkdir()
    predictions = []
    kind, suffix = form.split(".")
    for path in reader.paths:
        prediction: Any = random.uniform(2, 60, (352, 1216) if kind == "kb" else (96, 320)).astype(np.float32)
        if suffix == "png":
            write_kitti_depth(folder / path.name, prediction)
            prediction = np.rint(prediction * 256) / 256
        else:
            np.save(folder / f"{path.stem}.npy", 7 / prediction if kind == "inverse" else prediction)
        predictions.append(prediction)
    protocol = "kitti-bts" if kind == "kb" else "kitti-eigen-improved"
    options = {
        "depth.png": ("--scale", 256),
        "inverse.npy": ("--predicts", "inverse_depth"),
        "kb.npy": ("--view", "kb"),
    }
    call = ("score", folder, "--data", annotated, "--protocol", protocol, "--output", tmp_path / "s.json")
    result = cli(*call, *options.get(form, ()))
    assert result.status == 0, result.err
    found = results(tmp_path / "s.json")[protocol]
    assert found["frames"] == 3
    expected = mean_errors(protocol, reader, predictions)
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-5)


def test_score_is_a_function_too(annotated: Path, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for frame in range(3):
        np.save(tmp_path / "p" / f"{frame:010d}.npy", np.full((6, 20), 10, np.float32))
    found = score(tmp_path / "p", [annotated], protocols=["kitti-bts"], view="full")
    assert found["kitti-bts"]["frames"] == 3


def test_predictions_that_are_missing_corrupt_or_unclear(annotated: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "predictions"
    call = ("score", folder, "--data", annotated, "--protocol", "kitti-eigen-improved")

    def refused(status: int, message: str, *options: object) -> None:
        result = cli(*call, *options)
        assert result.status == status, result
        assert message in result.err.splitlines()[-1]
        assert "Traceback" not in result.err

    refused(2, "no such file or folder of predictions")
    folder.mkdir()
    refused(2, "no prediction for 3 of 3 frames")
    for frame in range(3):
        np.save(folder / f"{frame:010d}.npy", np.full((6, 20), 9, np.float32))
    (folder / "0000000001.npy").write_bytes(b"nothing")
    refused(1, "0000000001.npy: corrupt prediction")
    np.savez(folder / "more.npz", np.ones((6, 20)))
    (folder / "more.npz").rename(folder / "0000000001.npy")
    refused(1, "0000000001.npy: corrupt prediction")
    skipped = cli(*call, "--skip-missing", "--output", tmp_path / "s.json")
    assert skipped.status == 0, skipped.err
    assert "skipped: " in skipped.err
    assert results(tmp_path / "s.json")["kitti-eigen-improved"]["frames"] == 2
    assert results(tmp_path / "s.json")["kitti-eigen-improved"]["missing"] == 1
    np.save(folder / "0000000001.npy", np.ones((2, 6, 20), np.float32))
    refused(1, "a prediction of shape (2, 6, 20), not (h, w)")
    (folder / "0000000001.npy").unlink()
    Image.fromarray(np.full((6, 20), 2000, np.uint16)).save(folder / "0000000001.png")
    refused(2, "no prediction for 1 of 3 frames, e.g. ")  # PNGs beside .npy files are their pictures
    for path in folder.glob("*.npy"):
        path.rename(path.with_suffix(".png"))
    refused(2, "PNGs need --scale")
    refused(
        2,
        "--predicts 'disparity' is not depth or inverse_depth",
        "--predicts",
        "disparity",
    )
    refused(2, "no protocol 'kitti'; did you mean ", "--protocol", "kitti", "--scale", 256)
    refused(2, "is defined on lidar_x or rendered ground truth", "--protocol", "kitti-eigen-metric", "--scale", 1)
    refused(2, "split 'train' is not val or test", "--split", "train")


def test_predictions_of_another_view_are_refused(annotated: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    call = ("score", folder, "--data", annotated, "--protocol")
    for size, view, protocol, message in (
        (
            (352, 1216),
            "full",
            "kitti-bts",
            "has the size of the KB crop, 352x1216, not of its frame; give --view kb",
        ),
        ((375, 1242), "kb", "kitti-bts", "has the size of its frame, not of the KB crop; leave out --view kb"),
        ((352, 1216), "kb", "kitti-eigen-improved", "uses pixels outside of the KB crop"),
    ):
        for frame in range(3):
            np.save(folder / f"{frame:010d}.npy", np.full(size, 9, np.float32))
        result = cli(*call, protocol, "--view", view)
        assert result.status == 2, result
        assert message in result.err.splitlines()[-1]


def test_what_is_invalid_is_named(annotated: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    for frame in range(3):
        np.save(folder / f"{frame:010d}.npy", np.full((6, 20), np.nan if frame == 1 else 9, np.float32))
    call = ("score", folder, "--data", annotated, "--protocol", "kitti-eigen-improved", "--output", tmp_path / "s.json")
    result = cli(*call)
    assert result.status == 0, result.err
    found = results(tmp_path / "s.json")["kitti-eigen-improved"]
    assert (found["frames"], found["missing"], found["invalid"]) == (2, 0, 1)
    assert "invalid under kitti-eigen-improved: " in result.err
    assert "0000000001.png" in result.err


@pytest.mark.parametrize("depth", [-9.0, np.nan])
def test_no_frame_that_can_be_scored_is_a_failure(depth: float, annotated: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    for frame in range(3):
        np.save(folder / f"{frame:010d}.npy", np.full((6, 20), depth, np.float32))
    call = ("score", folder, "--data", annotated, "--protocol", "kitti-eigen-improved", "--output", tmp_path / "s.json")
    result = cli(*call)
    assert result.status == 1
    assert result.err.splitlines()[-1].endswith("no frame could be scored: all are missing or invalid")
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize("scale", [0, -256, "nan"])
def test_scales_that_divide_nothing_are_refused(scale: object, annotated: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("score", tmp_path, "--data", annotated, "--scale", scale)
    assert result.status == 2
    assert "must be positive and finite" in result.err


def test_one_prediction_for_two_frames_is_refused(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    write_nyu_folders(data_root / "nyu")
    yaml = data_yaml(tmp_path / "d.yaml", "NyuFolders, root: nyu, split: nyu/list.txt")
    folder = tmp_path / "predictions"
    (folder / "study").mkdir(parents=True)
    for name in ("rgb_00000", "rgb_00045"):
        np.save(folder / f"{name}.npy", np.full((6, 8), 3, np.float32))
    call = ("score", folder, "--data", yaml, "--protocol", "nyu-eigen")
    result = cli(*call)
    assert result.status == 2
    assert "matches both " in result.err
    for scene in ("study", "kitchen_0028b"):
        for name in ("rgb_00000", "rgb_00045"):
            (folder / scene).mkdir(exist_ok=True)
            np.save(folder / scene / f"{name}.npy", np.full((6, 8), 3, np.float32))
    assert cli(*call).status == 0
