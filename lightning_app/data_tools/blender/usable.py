"""Which frames teach something; a street is drawn anew for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = 1.0  # least distance of the nearest tenth of a frame, metres
SEEN = 0.1  # least share of the pixels that are not sky


def is_usable(depth: NDArray[np.float32]) -> bool:
    """Whether the camera sees something, and does not stand in or right before an object.

    Args:
        depth: metres, (H, W); infinite in the sky.
    """
    seen = depth[np.isfinite(depth)]
    if seen.size < SEEN * depth.size or np.percentile(depth, 10) < NEAREST:
        return False
    return bool(seen.std() > 0.05 * seen.mean())


def is_uniform(colour: NDArray[Any]) -> bool:
    """Whether a frame, (H, W, 3), has a single colour. It is black if the camera stands in a closed object."""
    brightness = colour.astype(np.float32).mean(-1)
    return bool(brightness.std() <= 0.05 * brightness.mean())
