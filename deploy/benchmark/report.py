"""Table and plot of benchmark results. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lightning_app.files import atomic_write

if TYPE_CHECKING:
    from deploy.measure.timing import Row

_RANDOM = "random weights: latency only"
_COLOURS = {"fp32": "#3b6fb6", "fp16": "#6fa8dc", "int8": "#e08a2e", "w8a16": "#b5651d", "dynamic int8": "#c9b458"}
_OTHER = "#888888"


def benchmark_table(rows: Sequence[Row], how: str) -> Table:
    """Table of benchmark results, at most 80 columns wide.

    Args:
        rows: results, one per file.
        how: measurement conditions, for the caption.
    """
    caption = (
        f"{how}. zip: compressed as in an app store. first: the first run in a fresh process. RAM: peak memory of "
    )
    caption += "a fresh process, without the runtime itself. of peak: share of this CPU's fastest dense convolution."
    table = Table(
        caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )
    table.add_column("\nfile", overflow="fold", min_width=16)
    latencies = ("p50\nms", "p90\nms", "p99\nms", "first\nms")
    for name in ("\nMB", "zip\nMB", "\nGMAC", *latencies, "RAM\nMB", "speed\nup", "of\npeak"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        size = f"{row.size[0]}x{row.size[1]} {row.precision}"
        lines = [_short(row, rows), f"[dim]{size}{'' if row.runtime == 'onnxruntime' else f' {row.runtime}'}[/]"]
        lines += [f"[dim]{_RANDOM}[/]"] * row.reference
        times = (row.p50_ms, row.p90_ms, row.p99_ms, row.first_ms)
        table.add_row(
            "\n".join(lines),
            *(_figures(each) for each in (row.size_mb, row.compressed_mb, row.gmac, *times, row.memory_mb)),
            f"{row.speedup:.2f}x",
            "-" if row.peak_share is None else f"{row.peak_share:.0%}",
        )
    return table


def draw_benchmark(rows: Sequence[Row], how: str, path: Path) -> None:
    """Bar plot of latency, coloured by precision, with file size and operations.

    Args:
        rows: results, one per file.
        how: measurement conditions, for the title.
        path: image file to write.
    """
    from matplotlib.figure import Figure  # slow to import
    from matplotlib.patches import Patch

    figure = Figure(figsize=(9, 1.5 + 0.6 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = list(range(len(rows)))
    colours = [_COLOURS.get(row.precision, _OTHER) for row in rows]
    bars = axes.barh(places, [row.p50_ms for row in rows], color=colours, height=0.6)
    axes.hlines(places, [row.p50_ms for row in rows], [row.p90_ms for row in rows], color="#333333", linewidth=1.5)
    axes.set_yticks(places, [_label(row, rows) for row in rows], fontsize=9)
    for place, (row, bar) in enumerate(zip(rows, bars, strict=True)):
        size = "random weights" if row.reference else f"{row.size_mb:.1f} MB"
        macs = "" if row.gmac is None else f"   {row.gmac:.2f} GMAC"
        axes.text(max(row.p50_ms, row.p90_ms), place, f"  {row.p50_ms:.1f} ms   {size}{macs}", va="center", fontsize=9)
        bar.set_hatch("//" * row.reference)
        bar.set_edgecolor("white")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.6 * max(row.p90_ms for row in rows))
    axes.set_xlabel("latency (ms); bar: median, line: 90th percentile", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(how, fontsize=8, loc="left", color="#555555")
    kinds = dict.fromkeys(row.precision for row in rows)
    keys = [Patch(color=_COLOURS.get(kind, _OTHER), label=kind) for kind in kinds]
    axes.legend(handles=keys, frameon=False, fontsize=9, loc="lower right")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _label(row: Row, rows: Sequence[Row]) -> str:
    runtime = "" if row.runtime == "onnxruntime" else f", {row.runtime}"
    sizes = f"{row.size[0]}x{row.size[1]}" if len({each.size for each in rows}) > 1 else ""
    return f"{_short(row, rows)}{runtime}" + (f"\n{sizes}" if sizes else "")


def _short(row: Row, rows: Sequence[Row]) -> str:
    """The file name, or the full path if several files have the same name."""
    names = [Path(each.file).name for each in rows if not each.reference]
    return row.file if row.reference or names.count(Path(row.file).name) > 1 else Path(row.file).name


def _figures(value: float | None) -> str:
    """Three significant digits; a dash for None."""
    return "-" if value is None else f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"
