"""Check of a data set: read every frame and report its content and errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DataLoader, Dataset

from datamodules.reader import CorruptFrameError, Reader
from datamodules.view_matching import ViewReport, report_views


class FrameReport(NamedTuple):
    """Content and problems of one frame.

    Attributes:
        path: path of the image file.
        problem: description of the problem; empty if there is none.
        size: (height, width) of the image.
        valid: share of pixels with known depth, in [0, 1].
        near: smallest known depth in metres; 0 if no depth is known.
        far: largest known depth in metres; 0 if no depth is known.
        intrinsics: fx, fy, cx, cy in pixels.
        views: how its neighbours fit.
    """

    path: Path
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    valid: float = 0.0
    near: float = 0.0
    far: float = 0.0
    intrinsics: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    views: tuple[ViewReport, ...] = ()


def check(reader: Reader, processes: int | None = None) -> Iterator[FrameReport]:
    """Read every frame in parallel and yield one report per frame, in order.

    Args:
        reader: reader of the frames.
        processes: number of worker processes; one per core by default, 0 to read in this process.
    """
    workers = min(len(os.sched_getaffinity(0)), len(reader)) if processes is None else processes
    yield from DataLoader(_Reports(reader), batch_size=None, num_workers=workers, collate_fn=_identity)


def report_frame(reader: Reader, index: int) -> FrameReport:
    """Read one frame and return its report."""
    path = reader.paths[index]
    try:
        frame = reader[index]
    except CorruptFrameError as error:
        return FrameReport(path, str(error))
    known = frame.depth[frame.depth > 0]
    expected = reader.has_depth(reader.entries[index])
    k = frame.intrinsics
    problem = ""
    if expected and not known.size:
        problem = f"{path}: depth has no known pixel"
    elif np.ptp(frame.image) < 8:
        problem = f"{path}: the image has a single colour"
    return FrameReport(
        path,
        problem,
        (frame.image.shape[0], frame.image.shape[1]),
        known.size / frame.depth.size,
        float(known.min(initial=np.inf)) if known.size else 0.0,
        float(known.max(initial=0.0)),
        (float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])),
        report_views(frame),
    )


def _identity(report: Any) -> Any:
    return report


class _Reports(Dataset[FrameReport]):
    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> FrameReport:
        return report_frame(self.reader, index)
