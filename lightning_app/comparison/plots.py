"""Plots of ``pocketdepth compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from lightning_app.colormap import colour_depth
from lightning_app.comparison.scorer import Picture
from lightning_app.comparison.statistics import DRAWS, MEAN_DEPTH_BASELINE, Comparison
from lightning_app.evaluation.pictures import is_sparse, to_picture, widened
from lightning_app.files import atomic_write

WIDTH, LABEL = 320, 170  # maximum width of a picture, and width of the row names, pixels


def draw_bars(result: Comparison, path: Path) -> None:
    """Draw a bar chart of abs_rel: means, seeds, and 95 % bootstrap intervals over frames."""
    variants, protocols = list(result.values), result.protocols
    figure = Figure(figsize=(1.5 + 4.2 * len(protocols), 1.6 + 0.45 * len(variants)), layout="constrained")
    random = np.random.default_rng(0)
    frames = random.integers(len(result.frames), size=(DRAWS, len(result.frames)))
    for place, protocol in enumerate(protocols):
        axes = figure.add_subplot(1, len(protocols), place + 1)
        for row, variant in enumerate(variants):
            table = result.values[variant][protocol]["abs_rel"]
            low, high = np.percentile(table.mean(0)[frames].mean(1), (2.5, 97.5))
            colour = "#9aa5b1" if row == 0 else "#d3b673" if variant == MEAN_DEPTH_BASELINE else "#3b6fb6"
            axes.barh(row, table.mean(), color=colour, height=0.62)
            axes.hlines(row, low, high, color="#333333", linewidth=1.2)
            axes.plot(table.mean(1), np.full(len(table), row), "o", color="white", markeredgecolor="#333333", ms=4)
            axes.text(high, row, f"  {table.mean():.3f}", va="center", fontsize=8)
        axes.set_yticks(range(len(variants)), variants if place == 0 else [""] * len(variants))
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * axes.get_xlim()[1])
        axes.set_title(f"{protocol} abs_rel, lower is better", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    how = f"{len(result.frames)} frames; bar: mean, points: seeds, line: 95 % bootstrap interval over frames"
    figure.supxlabel(how, fontsize=8, color="#555555")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)


def draw_panels(result: Comparison, variants: Mapping[str, Sequence[Picture]], path: Path) -> None:
    """Draw example frames: image, ground truth, and the prediction of each variant with the first seed.

    Predictions are scaled to the median of the ground truth and drawn with its colour scale. The number in a prediction
    is its abs_rel under the first protocol.

    Args:
        result: scores of the variants.
        variants: pictures of the same frames, by name of the variant.
        path: PNG file to write.
    """
    protocol, columns = result.protocols[0], []
    for frame in zip(*variants.values(), strict=True):
        pictures = [to_picture(frame[0].image), *_coloured(frame[0].truth, [each.prediction for each in frame])]
        scored = frame[0].path in result.frames
        place = result.frames.index(frame[0].path) if scored else 0
        errors = [result.values[name][protocol]["abs_rel"][0, place] for name in variants]
        notes = ["", "", *(f"{error:.3f}" if scored else "" for error in errors)]
        columns.append([_tile(*pair) for pair in zip(pictures, notes, strict=True)])
    names = ["image", "ground truth,\nnear is bright", *variants]
    labels = [_label(name, tile.shape[0]) for name, tile in zip(names, columns[0], strict=True)]
    rows = [np.concatenate(row, axis=1) for row in zip(labels, *columns, strict=True)]
    with atomic_write(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary)


def _coloured(truth: Tensor, predictions: Sequence[Tensor]) -> list[NDArray[np.uint8]]:
    known = truth > 0
    near, far = (float(np.percentile(truth[known].cpu().numpy(), q)) for q in (2, 98)) if known.any() else (1.0, 80.0)
    pictures = [colour_depth((widened(truth) if is_sparse(truth) else truth)[0].cpu().numpy(), near, far)]
    for prediction in predictions:
        scale = truth[known].median() / prediction[known].median() if known.any() else 1.0
        pictures.append(colour_depth((prediction * scale)[0].cpu().numpy(), near, far))
    return pictures


def _label(name: str, height: int) -> NDArray[np.uint8]:
    """Name of a row as a picture."""
    label = Image.new("RGB", (LABEL, height), "white")
    ImageDraw.Draw(label).text((LABEL - 6, height // 2), name, fill="black", font_size=13, anchor="rm", align="right")
    return np.asarray(label)


def _tile(picture: NDArray[np.uint8], note: str) -> NDArray[np.uint8]:
    """Resize a picture to at most WIDTH, and write a note in its corner."""
    tile = Image.fromarray(picture)
    if tile.width > WIDTH:
        tile = tile.resize((WIDTH, round(tile.height * WIDTH / tile.width)), Image.Resampling.BOX)
    ImageDraw.Draw(tile).text((4, 2), note, fill="white", font_size=12, stroke_width=2, stroke_fill="black")
    return np.asarray(tile)
