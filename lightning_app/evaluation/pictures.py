"""Convert images and depth to pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from lightning_app.evaluation.protocols import scale_and_shift
from losses.masked import resize, resize_depth

HEADER = 16  # pixels


def header(width: int, names: Sequence[str]) -> NDArray[np.uint8]:
    """Header with the names of equally wide columns: RGB uint8, (HEADER, width, 3)."""
    strip = Image.new("RGB", (width, HEADER), "white")
    for column, name in enumerate(names):
        ImageDraw.Draw(strip).text((column * width // len(names) + 3, 1), name, fill="black", font_size=HEADER - 4)
    return np.asarray(strip)


def is_sparse(truth: Tensor) -> bool:
    """Whether less than 30 % of the pixels are known, as with LiDAR, so that single pixels would be hard to see."""
    return bool((truth > 0).float().mean() < 0.3)


def widened(truth: Tensor) -> Tensor:
    """Dilate known pixels of a depth map, (1, H, W), to 3x3 pixels; where they overlap the nearest is kept."""
    near = F.max_pool2d(torch.where(truth > 0, 1 / truth.clamp_min(1e-3), 0)[None], 3, 1, 1)[0]
    return torch.where(near > 0, 1 / near.clamp_min(1e-6), 0)


def to_picture(image: Tensor) -> NDArray[np.uint8]:
    """Convert RGB in [0, 1], (3, H, W), to uint8, (H, W, 3)."""
    picture: NDArray[np.uint8] = (image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
    return picture


def in_metres(prediction: Tensor, truth: Tensor, predicts: str) -> Tensor:
    """Convert a prediction to depth at the size of the ground truth, for pictures.

    Inverse depth is aligned to the ground truth by least squares. Without known ground truth it is mapped to the range
    from 1 to 100 m.

    Args:
        prediction: (1, h, w).
        truth: ground truth in metres, (1, H, W), 0 where unknown.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.

    Returns:
        Depth in metres, (1, H, W).
    """
    size = (truth.shape[-2], truth.shape[-1])
    if predicts == "depth":
        return resize_depth(prediction[None].float(), size)[0]
    inverse = resize(prediction[None].float(), size)[0]
    known = truth > 0
    if known.any():
        scale, shift = scale_and_shift(inverse[known], 1 / truth[known])
        inverse = scale * inverse + shift
    else:
        inverse = (inverse - inverse.min()) / (inverse.max() - inverse.min()).clamp_min(1e-6)
    return 1 / inverse.nan_to_num().clamp_min(0.01)
