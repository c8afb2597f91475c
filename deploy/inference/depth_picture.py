"""Pictures of predictions: image, depth and scale side by side. Does not import torch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lightning_app.colormap import colour_depth, depth_range

_SIDES = (320, 1280)  # pixels: bounds of the longest side of a panel
_BAR = 24  # pixels: width of the scale
_FONT = 16  # pixels
_MARGIN = 72  # pixels: width of the labels
_ROUND = (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 80, 100, 200, 500)  # metres


def depth_picture(image: NDArray[np.uint8], depth: NDArray[np.float32], predicts: str) -> Image.Image:
    """Draw image and depth side by side, with a scale on the right: metres, or near and far for inverse depth.

    Colours are linear in inverse depth. Large images are reduced and small ones enlarged, so that labels are legible.

    Args:
        image: RGB, (H, W, 3).
        depth: depth in metres, or inverse depth up to scale and shift, (H, W).
        predicts: ``depth`` or ``inverse_depth``.
    """
    relative = predicts == "inverse_depth"
    metres = 1 / (depth - depth.min() + 1e-3 * max(float(np.ptp(depth)), 1e-6)) if relative else depth
    near, far = depth_range(metres)
    height, width = image.shape[:2]
    factor = np.clip(max(height, width), *_SIDES) / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    panels = [
        cv2.resize(each, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
        for each in (image, colour_depth(metres, near, far))
    ]
    canvas = Image.new("RGB", (2 * size[0] + _BAR + _MARGIN, max(size[1], 6 * _FONT)), "white")
    for column, panel in enumerate(panels):
        canvas.paste(Image.fromarray(panel), (column * size[0], 0))
    _draw_scale(canvas, 2 * size[0] + _FONT // 2, near, far, relative)
    return canvas


def _draw_scale(canvas: Image.Image, left: int, near: float, far: float, relative: bool) -> None:
    """Draw the colours from near (top) to far, and labels beside them."""
    top, bottom = _FONT, canvas.height - _FONT
    inverse = np.linspace(1 / near, 1 / far, bottom - top, dtype=np.float64)
    bar = np.repeat(colour_depth(1 / inverse[:, None], near, far), _BAR, axis=1)
    canvas.paste(Image.fromarray(bar), (left, top))
    draw = ImageDraw.Draw(canvas)
    labels = (
        {"near": near, "far": far} if relative else {f"{each:g} m": each for each in _marks(near, far, bottom - top)}
    )
    for label, value in labels.items():
        share = (1 / near - 1 / value) / max(1 / near - 1 / far, 1e-9)
        row = top + round(share * (bottom - top - 1))
        draw.line((left + _BAR, row, left + _BAR + 4, row), fill="black")
        draw.text((left + _BAR + 6, row), label, fill="black", font_size=_FONT, anchor="lm")


def _marks(near: float, far: float, height: int) -> list[float]:
    """Both ends, and round depths between them whose labels do not touch."""
    ends = [float(f"{value:.2g}") for value in (near, far)]
    taken, marks = [0.0, float(height)], ends
    for value in _ROUND:
        row = (1 / near - 1 / value) / max(1 / near - 1 / far, 1e-9) * height
        if near < value < far and min(abs(row - other) for other in taken) >= 1.5 * _FONT:
            taken, marks = [*taken, row], [*marks, value]
    return marks
