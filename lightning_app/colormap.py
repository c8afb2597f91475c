"""Depth as colour."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


def colour_depth(depth: NDArray[np.floating], near: float | None = None, far: float | None = None) -> NDArray[np.uint8]:
    """Colour depth in metres, (H, W), by inverse depth, near bright and far dark: RGB uint8, (H, W, 3).

    Args:
        depth: 0 or less, and what is not finite, is unknown and comes out black.
        near: depth of the brightest colour; the 2nd percentile if left out.
        far: depth of the darkest colour; the 98th percentile if left out.
    """
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        return np.zeros((*depth.shape, 3), dtype=np.uint8)
    near = near or float(np.percentile(depth[known], 2))
    far = far or float(np.percentile(depth[known], 98))
    inverse = 1 / np.where(known, depth, 1)
    span = max(1 / near - 1 / far, 1e-9)
    index = np.clip((inverse - 1 / far) / span * 255, 0, 255).astype(np.uint8)
    return np.where(known[..., None], _palette()[index], np.uint8(0))


@cache
def _palette() -> NDArray[np.uint8]:
    from matplotlib import colormaps  # slow to import, and only pictures need it

    return (colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
