"""The Pareto front of error and latency, and the names beside its points. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adjustText import adjust_text
from matplotlib.axes import Axes


def on_front(latencies: Sequence[float], errors: Sequence[float]) -> list[bool]:
    """Whether no other is as good in both and better in one; latencies within a hundredth are the same."""
    points = list(zip(latencies, errors, strict=True))
    return [not any(a <= 1.01 * x and b <= y and (b < y or 1.01 * a < x) for a, b in points) for x, y in points]


def write_names(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write the name of each point beside it, moved to where it overlaps nothing, with a line back to the point."""
    texts = [axes.text(x, y, name, fontsize=8) for name, (x, y) in points.items()]
    # Bounded by iterations: bounded by time, the picture would depend on the machine.
    adjust_text(
        texts,
        ax=axes,
        iter_lim=500,
        expand=(1.3, 1.6),
        arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6},
    )
