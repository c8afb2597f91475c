"""Predictions in linked folders, and beside hidden copies of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightning_app.evaluation.score_predictions import score


def test_linked_predictions_are_scored_and_hidden_copies_are_not(annotated: Path, tmp_path: Path) -> None:
    elsewhere, predictions = tmp_path / "elsewhere", tmp_path / "predictions"
    for folder in (elsewhere, elsewhere / "@eaDir", predictions):
        folder.mkdir()
    (predictions / "data").symlink_to(elsewhere)  # the last folder of a frame of KITTI
    (elsewhere / "loop").symlink_to(predictions)
    for frame in range(3):
        name = f"{frame:010d}.npy"
        np.save(elsewhere / name, np.full((9, 30), 10, np.float32))
        np.save(elsewhere / "@eaDir" / name, np.full((9, 30), 70, np.float32))
        (elsewhere / f"._{name}").write_bytes(b"\0\5\x16\7")
    found = score(predictions, [annotated], protocols=["kitti-bts"], view="full")
    again = score(elsewhere, [annotated], protocols=["kitti-bts"], view="full")
    assert found == again
    assert found["kitti-bts"]["frames"] == 3
