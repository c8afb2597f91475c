"""The Pareto front of error and latency, and the names beside its points. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes


def on_front(latencies: Sequence[float], errors: Sequence[float]) -> list[bool]:
    """Whether no other is as good in both and better in one; latencies within a hundredth are the same."""
    points = list(zip(latencies, errors, strict=True))
    return [not any(a <= 1.01 * x and b <= y and (b < y or 1.01 * a < x) for a, b in points) for x, y in points]


def write_names(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """The name of each point beside it, where no other name and no point is in the way, if there is such a place."""
    places = {name: axes.transData.transform(point) * 72 / axes.figure.dpi for name, point in points.items()}
    left, floor = axes.transAxes.transform((0, 0)) * 72 / axes.figure.dpi
    margins = [(left - 60, -1e6, left, 1e6), (-1e6, floor - 60, 1e6, floor)]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places.values()] + margins
    for name, (x, y) in places.items():
        width = 4.6 * len(name)
        options = [(dx, dy) for dy in (2, -9, 12, -19, 22, -29) for dx in (6, -6 - width)]
        boxes = [(x + dx, y + dy, x + dx + width, y + dy + 8) for dx, dy in options]
        hits = [sum(a < r and w < c and b < n and s < d for w, s, r, n in taken) for a, b, c, d in boxes]
        best = hits.index(min(hits))
        taken.append(boxes[best])
        axes.annotate(name, points[name], options[best], textcoords="offset points", fontsize=8)
