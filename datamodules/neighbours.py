"""Which other views of a scene a reader reads with a frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.lists import Names, as_names

if TYPE_CHECKING:
    from datamodules.reader import Reader

log = logging.getLogger(__name__)

SIDES = {"stereo": 0, "previous": -1, "next": 1}
"""Names of neighbours: the other camera at the same time, and the same camera one frame before and after."""


def as_sides(given: Names) -> dict[str, int]:
    """Names of neighbours, given as one name, several separated by commas, or a list; with their offsets in frames.

    Raises:
        ValueError: an unknown name.
    """
    names = as_names(given) or []
    if unknown := [name for name in names if name not in SIDES]:
        raise ValueError(f"neighbours: {unknown[0]!r} is none of {', '.join(SIDES)}")
    return {name: SIDES[name] for name in names}


def require_neighbours(reader: Reader, counts: Sequence[int]) -> None:
    """Check that frames of a reader have neighbours; warn if some have none.

    Args:
        reader: the reader.
        counts: number of neighbours of each frame.

    Raises:
        FileNotFoundError: no frame has one.
    """
    without = sum(not count for count in counts)
    if counts and without == len(counts):
        raise FileNotFoundError(
            f"{reader}: no frame has a neighbour of {' or '.join(reader.neighbours)}; looked for {reader.layout}"
        )
    if without:
        log.warning("%s: %d of %d frames have no neighbour", reader, without, len(counts))


def relative_pose(frame: NDArray[Any], view: NDArray[Any]) -> NDArray[np.float32]:
    """Pose from the camera coordinates of a frame to those of a view, from both world-to-camera matrices, (4, 4)."""
    pose: NDArray[np.float32] = (view @ np.linalg.inv(frame)).astype(np.float32)
    return pose
