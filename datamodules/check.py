"""A walk through a data set: what is there, and what is broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DataLoader, Dataset

from datamodules.reader import CorruptFrameError, Reader


class FrameReport(NamedTuple):
    """What one frame holds.

    Attributes:
        path: the image's file.
        problem: what is wrong with it; empty where nothing is.
        size: height and width of the image.
        valid: share of the depth's pixels that are known.
        near: smallest known depth, metres; 0 where none is known.
        far: largest known depth, metres.
        intrinsics: fx, fy, cx, cy in pixels.
    """

    path: Path
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    valid: float = 0.0
    near: float = 0.0
    far: float = 0.0
    intrinsics: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def check(reader: Reader, processes: int | None = None) -> Iterator[FrameReport]:
    """Read every frame, on all cores, and report each, in order.

    Args:
        reader: of the frames.
        processes: that read; one for each core if left out, 0 for this one.
    """
    workers = min(len(os.sched_getaffinity(0)), len(reader)) if processes is None else processes
    yield from DataLoader(_Reports(reader), batch_size=None, num_workers=workers, collate_fn=_as_it_is)


def report_frame(reader: Reader, index: int) -> FrameReport:
    """Read one frame and report it."""
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
        problem = f"{path}: not one pixel of its depth is known"
    elif np.ptp(frame.image) < 8:
        problem = f"{path}: the image is of one colour"
    return FrameReport(
        path,
        problem,
        (frame.image.shape[0], frame.image.shape[1]),
        known.size / frame.depth.size,
        float(known.min(initial=np.inf)) if known.size else 0.0,
        float(known.max(initial=0.0)),
        (float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])),
    )


def _as_it_is(report: Any) -> Any:
    return report


class _Reports(Dataset[FrameReport]):
    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> FrameReport:
        return report_frame(self.reader, index)
