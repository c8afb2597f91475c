"""What ``data check`` says about the neighbours of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.check import FrameReport
from datamodules.view_matching import FEWEST, ViewReport

ROWS_PX = 1.0  # a larger difference of rows in a rectified pair is learned as wrong depth
STILL_PX = 0.5
Found = Sequence[tuple[Path, ViewReport]]  # image of the frame and its neighbour


def summarise_neighbours(reports: Sequence[FrameReport]) -> tuple[list[str], list[str]]:
    """Lines of a summary, and problems; both empty if no frame has neighbours."""
    views = [(report.path, view) for report in reports for view in report.views]
    pairs = [(path, view) for path, view in views if view.stereo]
    videos = [(path, view) for path, view in views if not view.stereo]
    summaries = [*([_of_pairs(pairs)] if pairs else []), *([_of_videos(videos)] if videos else [])]
    return [line for line, _ in summaries], [problem for _, problem in summaries if problem]


def _of_pairs(pairs: Found) -> tuple[str, str]:
    matched, lost = _matched(pairs)
    if not matched:
        return f"stereo: {len(pairs)} pairs{lost}", f"{pairs[0][0]}: the images of no pair show the same place"
    rows = float(np.median([view.rows for _, view in matched]))
    line = f"stereo: {len(pairs)} pairs, rows differ by {rows:.1f} px{lost}"
    return line, f"{matched[0][0]}: the pairs are not rectified, rows differ by {rows:.1f} px" if rows > ROWS_PX else ""


def _of_videos(videos: Found) -> tuple[str, str]:
    matched, lost = _matched(videos)
    if not matched:
        return f"video: {len(videos)} neighbours{lost}", f"{videos[0][0]}: no neighbour shows the same place"
    moved = [view.moved for _, view in matched]
    still = sum(each < STILL_PX for each in moved)
    stands = f", {still} from a camera that stands still" if still else ""
    line = f"video: {len(videos)} neighbours, features move by {np.median(moved):.1f} px{stands}{lost}"
    return line, f"{matched[0][0]}: the camera stands still throughout" if still == len(matched) else ""


def _matched(views: Found) -> tuple[Found, str]:
    """The views with enough matching features, and how many have not."""
    matched = [(path, view) for path, view in views if view.matches >= FEWEST]
    lost = len(views) - len(matched)
    return matched, f", {lost} with fewer than {FEWEST} matching features (cuts?)" if lost else ""
