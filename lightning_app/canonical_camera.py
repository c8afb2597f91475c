"""The canonical camera of Metric3D (arXiv 2307.10984): a metric network learns one focal length, so give it one.

Depth is scaled as if each image had been taken with the canonical focal length, and scaled back after prediction.
"""

from __future__ import annotations

from typing import Any


def canonical_scale(fx: Any, fy: Any, canonical_focal_px: float) -> Any:
    """Metres times this are canonical metres.

    Args:
        fx: focal length along rows, in pixels of what the network sees; a number or a tensor.
        fy: focal length along columns. A resize that changes the aspect ratio makes them differ; their geometric mean
            counts.
        canonical_focal_px: the canonical camera's.
    """
    return canonical_focal_px / (fx * fy) ** 0.5
