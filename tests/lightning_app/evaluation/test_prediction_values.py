"""Predictions that cannot be what they are said to be: of another shape, without depth, or of the other kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules import KittiRaw
from lightning_app.evaluation.metrics import frame_errors, require_maps, why_invalid
from lightning_app.evaluation.protocols import PROTOCOLS, Protocol
from tests.conftest import Cli
from tests.lightning_app.conftest import results

FULL, KB = (375, 1242), (352, 1216)


def write(folder: Path, *maps: Any) -> Path:
    folder.mkdir()
    for frame in range(3):
        np.save(folder / f"{frame:010d}.npy", maps[frame % len(maps)])
    return folder


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (FULL, ""),
        ((1, *FULL), ""),
        ((*FULL, 1), ""),
        ((1, 1, *FULL), ""),
        ((192, 640), ""),
        ((128, 416), ""),
        ((320, 1024), ""),
        (FULL[::-1], "it is transposed"),
        ((640, 192), "it is transposed"),
        ((192, 192), "give --stretched"),
        ((375, 621), "give --stretched"),
        ((256, 512), "give --stretched"),
        ((*FULL, 3), "a prediction of shape (375, 1242, 3), not (h, w)"),
        ((3, *FULL), "a prediction of shape (3, 375, 1242), not (h, w)"),
        ((2, 3, 6, 20), "not (h, w)"),
        ((375 * 1242,), "not (h, w)"),
        ((), "not (h, w)"),
        ((0, 0), "not (h, w)"),
    ],
)
def test_shapes(shape: tuple[int, ...], message: str, annotated: Path, tmp_path: Path, cli: Cli) -> None:
    predictions = write(tmp_path / "p", np.full(shape, 9, np.float16))
    result = cli("score", predictions, "--data", annotated, "--protocol", "kitti-eigen-improved")
    assert (result.status != 0) == bool(message), result
    assert message in (result.err.splitlines() or [""])[-1]
    if "stretched" in message:
        call = ("score", predictions, "--data", annotated, "--protocol", "kitti-eigen-improved", "--stretched")
        assert cli(*call).status == 0


def test_a_transposed_crop_is_refused(annotated: Path, tmp_path: Path, cli: Cli) -> None:
    call = ("score", write(tmp_path / "p", np.full(KB[::-1], 9, np.float32)), "--data", annotated)
    result = cli(*call, "--protocol", "kitti-bts", "--view", "kb")
    assert result.status == 2
    assert "does not have the aspect ratio of its frame, 352x1216: it is transposed" in result.err


METRIC, MEDIAN, BTS = (PROTOCOLS[name] for name in ("kitti-eigen-metric", "kitti-eigen", "kitti-bts"))
LEAST_SQUARES, ORDINAL = PROTOCOLS["kitti-paper"], PROTOCOLS["diw"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -1.0])
@pytest.mark.parametrize("protocol", [METRIC, MEDIAN, LEAST_SQUARES], ids=lambda each: each.name)
def test_a_pixel_without_depth_makes_a_frame_invalid(value: float, protocol: Protocol) -> None:
    truth = torch.rand(60, 130) * 50 + 10
    prediction = truth.clone()
    prediction[40, 60] = value
    errors = frame_errors(prediction, truth, protocol)
    assert errors is not None
    assert not errors[0].isfinite().all()
    kind = "0 or negative" if np.isfinite(value) else "not finite"
    assert why_invalid(prediction, "depth", protocol) == f"1 of 7800 values are {kind}"


def test_pixels_that_are_not_evaluated_may_be_unknown() -> None:
    """Above the Garg crop, as where bts pastes its crop into a frame of zeros."""
    truth = torch.rand(60, 130) * 50 + 10
    prediction = truth.clone()
    prediction[:10] = 0
    prediction[10:20] = torch.inf
    errors = frame_errors(prediction, truth, METRIC)  # type: ignore[arg-type]
    assert errors is not None
    assert errors[0, 0] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(("value", "valid"), [(np.nan, True), (np.inf, True), (0.0, False), (-2.0, False)])
def test_bts_alone_says_what_is_not_finite(value: float, valid: bool) -> None:
    truth = torch.rand(60, 130) * 50 + 10
    prediction = truth.clone()
    prediction[40, 60] = value
    errors = frame_errors(prediction, truth, BTS)  # type: ignore[arg-type]
    assert errors is not None
    assert bool(errors[0].isfinite().all()) == valid


def test_inverse_depth_up_to_a_shift_may_be_negative() -> None:
    truth = torch.rand(60, 130) * 50 + 10
    least_squares = frame_errors(1 / truth - 0.05, truth, LEAST_SQUARES, "inverse_depth")  # type: ignore[arg-type]
    median = frame_errors(1 / truth - 0.05, truth, MEDIAN, "inverse_depth")  # type: ignore[arg-type]
    assert least_squares is not None
    assert median is not None
    assert least_squares[0, 0] == pytest.approx(0, abs=1e-6)
    assert not median[0].isfinite().all()


@pytest.mark.parametrize(("value", "reason"), [(0.0, "0 or negative"), (np.inf, "not finite"), (-1, "0 or negative")])
def test_frames_without_depth_are_named_with_their_count(
    value: float, reason: str, annotated: Path, tmp_path: Path, cli: Cli
) -> None:
    good, bad = np.full((6, 20), 9, np.float32), np.full((6, 20), 9, np.float32)
    bad[3:] = value
    predictions = write(tmp_path / "p", good, bad, good)
    call = ("score", predictions, "--data", annotated, "--protocol", "kitti-eigen-improved")
    result = cli(*call, "--output", tmp_path / "s.json")
    assert result.status == 0, result.err
    assert f"0000000001.png (60 of 120 values are {reason})" in result.err
    assert results(tmp_path / "s.json")["kitti-eigen-improved"]["invalid"] == 1


@pytest.mark.parametrize("declared", ["depth", "inverse_depth"])
def test_predictions_of_the_other_kind_are_refused(declared: str, annotated: Path, tmp_path: Path, cli: Cli) -> None:
    reader = KittiRaw("large", "large/val.txt", depth="annotated")
    depths = [np.where(frame.depth > 0, frame.depth, 30) for frame in reader]
    maps = [depth if declared == "inverse_depth" else 1 / depth for depth in depths]
    predictions = write(tmp_path / "p", *maps)
    call = ("score", predictions, "--data", annotated, "--protocol", "kitti-eigen-improved", "--predicts")
    refused = cli(*call, declared)
    assert refused.status == 2
    assert "--predicts inverse_depth" in refused.err.splitlines()[-1]
    assert cli(*call, "depth" if declared == "inverse_depth" else "inverse_depth").status == 0


@pytest.mark.parametrize("shape", [(2, 1, 64, 32), (2, 3, 32, 64), (1, 1, 32, 64), (2, 32, 64), (2, 1, 0, 0)])
def test_a_network_that_returns_no_map_per_image_is_refused(shape: tuple[int, ...]) -> None:
    require_maps(torch.ones(2, 1, 16, 32), torch.ones(2, 3, 32, 64), "mine")
    with pytest.raises(ValueError, match=r"mine: its output for images of shape \(2, 3, 32, 64\) has shape"):
        require_maps(torch.ones(shape), torch.ones(2, 3, 32, 64), "mine")
