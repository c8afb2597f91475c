"""Images of the report: error against latency, and photographs with the depth of every file. No torch."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from deploy.benchmark.pareto_front import on_front, write_names
from deploy.inference.load import load
from lightning_app.colormap import colour_depth
from lightning_app.files import atomic_write
from lightning_app.image_files import read_image

WIDTH = 420  # width of each photograph, in pixels
CHANGE_SHOWN = 0.1  # relative change of depth that is shown as white
Picture = NDArray[np.uint8]


def draw_pareto(
    points: Mapping[str, tuple[float, float]], references: Mapping[str, float], first: str, protocol: str
) -> Figure:
    """Plot error against latency, with the Pareto front.

    Args:
        points: latency in ms and abs_rel, by file.
        references: latency in ms of reference networks with random weights, by name.
        first: name of the baseline file.
        protocol: evaluation protocol of abs_rel.
    """
    figure = Figure(figsize=(6.4, 3.9), layout="constrained")
    axes = figure.add_subplot()
    latencies, errors = (list(each) for each in zip(*points.values(), strict=True))
    best = on_front(latencies, errors)
    front = sorted(point for point, is_best in zip(points.values(), best, strict=True) if is_best)
    axes.step(*zip(*front, strict=True), where="post", color="#e08a2e", linewidth=1.2)
    for (x, y), is_best in zip(points.values(), best, strict=True):
        axes.plot(x, y, "o", color="#e08a2e" if is_best else "#3b6fb6", ms=7)
    axes.axhline(points[first][1], color="#999999", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    every = [*latencies, *references.values()]
    axes.set_xlim(0.7 * min(every), 1.5 * max(every))
    spread = max(max(errors) - min(errors), 0.02 * max(errors))
    axes.set_ylim(min(errors) - 0.6 * spread, max(errors) + 0.4 * spread)
    for name, latency in references.items():
        axes.plot(latency, 0.02, "|", color="#777777", ms=10, transform=axes.get_xaxis_transform())
        place: dict[str, Any] = {
            "rotation": 90,
            "ha": "center",
            "va": "bottom",
            "transform": axes.get_xaxis_transform(),
        }
        axes.text(latency, 0.07, name, fontsize=7, color="#555555", **place)
    ticks = [
        tick for tick in (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500) if tick > 0.7 * min(every)
    ]
    axes.set_xticks([tick for tick in ticks if tick < 1.5 * max(every)], labels=None)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("median latency (ms), logarithmic")
    axes.set_ylabel(f"abs_rel, {protocol}")
    axes.spines[["top", "right"]].set_visible(False)
    write_names(axes, points)
    return figure


def photograph(path: Path, files: Mapping[str, Path]) -> dict[str, list[Picture]]:
    """Render a photograph and the depth that every file predicts for it.

    Args:
        path: image file.
        files: depth networks by name. The first is the baseline.

    Returns:
        Two images (h, w, 3) by caption, one above the other: the photograph and the depth of the baseline; then the
        depth of each other file and its relative change from the baseline.
    """
    image = read_image(path)
    size = (WIDTH, round(WIDTH * image.shape[0] / image.shape[1]))
    depths = {name: load(file)(image) for name, file in files.items()}
    (baseline, first), *others = depths.items()
    near, far = (float(np.percentile(first, share)) for share in (2, 98))
    pictures = {f"photograph, {baseline}": [_shrunk(image, size), _shrunk(colour_depth(first, near, far), size)]}
    for name, depth in others:
        change = np.abs(depth / first - 1)
        grey = (np.clip(change / CHANGE_SHOWN, 0, 1) * 255).astype(np.uint8)
        shown = _shrunk(colour_depth(depth, near, far), size)
        pictures[f"{name}, change {change.mean():.1%}"] = [shown, _shrunk(np.dstack([grey] * 3), size)]
    return pictures


def contact_sheet(rows: Sequence[Mapping[str, list[Picture]]], path: Path) -> None:
    """Write rows of images with captions to one PNG.

    Args:
        rows: for each row, images (h, w, 3) by caption, one above the other.
        path: PNG file to write.
    """
    most = max(len(row) for row in rows)
    inches = 2.7  # width of a column
    heights = [inches * sum(each.shape[0] for each in next(iter(row.values()))) / WIDTH + 0.2 for row in rows]
    figure = Figure(figsize=(inches * most, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(rows), most, height_ratios=heights)
    for place, row in enumerate(rows):
        for column, (caption, pictures) in enumerate(row.items()):
            axes = figure.add_subplot(grid[place, column])
            axes.imshow(np.vstack(pictures), aspect="equal")
            axes.set_title(caption, fontsize=7, loc="left", pad=2)
            axes.set_anchor("N")
            axes.set_axis_off()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def as_svg(figure: Figure) -> str:
    """Render a figure as an SVG element, without the XML header."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue().partition("<svg")[1] + stream.getvalue().partition("<svg")[2]


def as_jpeg(picture: Picture) -> bytes:
    """Encode an image as JPEG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=82)
    return stream.getvalue()
