"""``data check`` of pairs and videos: rectified or not, cuts, a camera that stands still."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import Frame, Neighbour
from datamodules.check import FrameReport
from datamodules.view_matching import report_views
from lightning_app.data_tools.neighbour_summary import summarise_neighbours
from tests.conftest import Cli

SIZE = (120, 200)
K = np.array([[100, 0, 99.5], [0, 100, 59.5], [0, 0, 1]], np.float32)
STEREO = np.eye(4, dtype=np.float32)
STEREO[0, 3] = -0.5


def corners(seed: int = 0) -> np.ndarray:
    """A picture full of features."""
    coarse = np.random.default_rng(seed).integers(0, 255, (30, 50, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_NEAREST))


def summary(views: list[np.ndarray], pose: np.ndarray | None) -> tuple[list[str], list[str]]:
    reports = []
    for number, view in enumerate(views):
        depth, neighbours = np.zeros(SIZE, np.float32), (Neighbour(view, K, pose),)
        frame = Frame(corners(), depth, K, "real", Path(f"{number}.png"), neighbours=neighbours)
        reports.append(FrameReport(frame.path, views=report_views(frame)))
    return summarise_neighbours(reports)


def shifted(x: int, y: int) -> np.ndarray:
    return np.roll(corners(), (y, x), (0, 1))


def test_a_rectified_pair_has_equal_rows() -> None:
    assert summary([shifted(-8, 0)] * 2, STEREO) == (["stereo: 2 pairs, rows differ by 0.0 px"], [])


def test_a_pair_that_is_not_rectified_is_a_problem() -> None:
    lines, problems = summary([shifted(-8, 3)] * 2, STEREO)
    assert float(lines[0].removeprefix("stereo: 2 pairs, rows differ by ").removesuffix(" px")) == pytest.approx(
        3, abs=0.3
    )
    assert [problem.partition(", rows")[0] for problem in problems] == ["0.png: the pairs are not rectified"]


def test_a_cut_in_a_video_is_counted() -> None:
    lines, problems = summary([shifted(6, 0), corners(1)], None)
    assert lines == ["video: 2 neighbours, features move by 6.0 px, 1 with fewer than 12 matching features (cuts?)"]
    assert not problems


@pytest.mark.parametrize(
    ("views", "pose", "problem"),
    [
        ([corners()] * 2, None, "0.png: the camera stands still throughout"),
        ([corners(1)] * 2, None, "0.png: no neighbour shows the same place"),
        ([corners(1), np.zeros_like(corners())], STEREO, "0.png: the images of no pair show the same place"),
    ],
    ids=["still", "cuts", "other places"],
)
def test_what_teaches_nothing_is_a_problem(views: list[np.ndarray], pose: np.ndarray | None, problem: str) -> None:
    assert summary(views, pose)[1] == [problem]


def test_check_reports_real_pairs(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    lines = (real_data / "kitti_train_grey" / "splits" / "stereo_files.txt").read_text().splitlines()[:6]
    (tmp_path / "few.txt").write_text("\n".join(lines))
    arguments = ("--root", "kitti_train_grey", "--split", tmp_path / "few.txt", "--depth", "none")
    result = cli("data", "check", "KittiRaw", *arguments, "--neighbours", "stereo", "--output", tmp_path / "sheets")
    assert result.status == 0, result.err
    assert "stereo: 6 pairs, rows differ by 0." in result.out
