"""Pareto front of error and latency, and labels for its points. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adjustText import adjust_text
from matplotlib.axes import Axes


def on_front(latencies: Sequence[float], errors: Sequence[float]) -> list[bool]:
    """Whether each point is on the Pareto front of latency and error. Lower is better in both.

    Latencies that differ by at most 1 % count as equal.

    Args:
        latencies: latency of each point, in any unit.
        errors: error of each point.

    Returns:
        For each point, whether no other point is at least as good in both and better in one.
    """
    points = list(zip(latencies, errors, strict=True))
    return [not any(a <= 1.01 * x and b <= y and (b < y or 1.01 * a < x) for a, b in points) for x, y in points]


def write_names(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Label points with their names, placed without overlaps and connected to the points by lines.

    Args:
        axes: axes to draw on.
        points: (x, y) in data coordinates, by name.
    """
    texts = [axes.text(x, y, name, fontsize=8) for name, (x, y) in points.items()]
    # Limit the iterations, not the time, so that the plot does not depend on the machine.
    adjust_text(
        texts,
        ax=axes,
        iter_lim=500,
        expand=(1.3, 1.6),
        arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6},
    )
