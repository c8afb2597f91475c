"""Colour depth maps."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


def colour_depth(depth: NDArray[np.floating], near: float | None = None, far: float | None = None) -> NDArray[np.uint8]:
    """Colour a depth map by inverse depth: near is bright, far is dark.

    Args:
        depth: metres, (H, W); values that are not positive or not finite are unknown and drawn black.
        near: depth of the brightest colour, metres; None for the 2nd percentile.
        far: depth of the darkest colour, metres; None for the 98th percentile.

    Returns:
        RGB uint8, (H, W, 3).
    """
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        return np.zeros((*depth.shape, 3), dtype=np.uint8)
    if near is None or far is None:
        found = depth_range(depth)
        near, far = near or found[0], far or found[1]
    inverse = 1 / np.where(known, depth, 1)
    span = max(1 / near - 1 / far, 1e-9)
    index = np.clip((inverse - 1 / far) / span * 255, 0, 255).astype(np.uint8)
    return np.where(known[..., None], _palette()[index], np.uint8(0))


def depth_range(depth: NDArray[np.floating]) -> tuple[float, float]:
    """The 2nd and the 98th percentile of the known depth in a map, metres; (1, 1) if no depth is known."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    near, far = np.percentile(known, (2, 98)) if known.size else (1, 1)
    return float(near), float(far)


@cache
def _palette() -> NDArray[np.uint8]:
    from matplotlib import colormaps  # slow to import

    return (colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
