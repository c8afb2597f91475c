"""Scores frame by frame, and that their mean is what validation logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules import DepthDataModule, KittiRaw, Reader
from lightning_app.evaluation.evaluate import FrameScore, frame_scores, mean_scores, print_invalid
from lightning_app.evaluation.metrics import DepthMetrics
from lightning_app.evaluation.protocols import fitting, views

NAMES = ("kitti-eigen", "kitti-eigen-metric", "kitti-paper")


def predict(batch: dict[str, Any]) -> Tensor:
    """Another depth for each pixel and frame; that of the frame with number 1 is not finite."""
    depth = 5 + 40 * batch["image"].mean(1, keepdim=True)
    invalid = torch.tensor([path.endswith("0000000001.png") for path in batch["path"]])
    return torch.where(invalid[:, None, None, None], torch.nan, depth)


def readers() -> list[Reader]:
    return [KittiRaw("kitti", f"kitti/{split}.txt", depth="forward_x") for split in ("val", "test")]


def module() -> DepthDataModule:
    return DepthDataModule([], [], readers(), size=(64, 96), batch_size=4, workers=0)


def test_the_mean_of_the_frames_is_that_of_the_torchmetrics_class(
    data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit by bit, whatever the batch size; invalid frames are named."""
    data, protocols = module(), fitting(NAMES, readers(), "depth")
    scores = list(print_invalid(frame_scores(data, readers(), protocols, predict, "depth")))
    assert len(scores) == 6 * len(NAMES)
    invalid = [score for score in scores if score.errors == "invalid"]
    assert len(invalid) >= len(NAMES)
    reason = "(6144 of 6144 values are not finite)"
    lines = [f"invalid under {each.protocol}: {each.path} {reason}" for each in invalid]
    assert capsys.readouterr().err.splitlines() == lines
    means = mean_scores(scores, protocols)
    for protocol in protocols:
        metric = DepthMetrics(protocol)
        for batch in data.evaluation_dataloader(readers(), views=views(protocols)):
            moved = data.on_after_batch_transfer(batch, 0)
            metric.update(predict(moved), moved)
        expected = {name: float(value) for name, value in metric.compute().items()}
        assert expected["frames"] + expected["invalid"] == 6
        assert list(means[protocol.name]) == list(expected)
        np.testing.assert_array_equal(list(means[protocol.name].values()), list(expected.values()))


def test_frames_without_a_prediction_are_missing(data_root: Path) -> None:
    data, protocols = module(), fitting(NAMES[:1], readers(), "depth")
    path = str(readers()[0].paths[0])

    def predict_one(batch: dict[str, Any]) -> Tensor | None:
        return torch.ones(1, 1, 8, 8) if batch["path"][0] == path else None

    first, *others = frame_scores(data, readers(), protocols, predict_one, "depth", size=(8, 8))
    assert first.path == path
    assert isinstance(first.errors, Tensor)
    assert others == [FrameScore(str(each), NAMES[0], "missing") for reader in readers() for each in reader.paths][1:]
    counts = mean_scores([first, *others], protocols)[NAMES[0]]
    assert (counts["frames"], counts["missing"], counts["invalid"]) == (1, 5, 0)
