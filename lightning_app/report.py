"""Metrics as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lightning_app.files import written_whole

COUNTS = ("frames", "missing", "invalid")
Results = Mapping[str, Mapping[str, float]]


def print_results(results: Results, title: str, label: str = "protocol") -> None:
    """Print metrics: one row for each entry of ``results``, which its counts of frames follow."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(label, no_wrap=True)
    names = list(next(iter(results.values())))
    for name in names:
        table.add_column(name, justify="right")
    for row, values in results.items():
        cells = [f"{values[name]:.0f}" if name in COUNTS else f"{values[name]:.3f}" for name in names]
        table.add_row(row, *cells)
    # A table wider than the terminal would be cut to dots; in a file nothing limits it.
    console = Console()
    width = console.measure(table).maximum
    console.print(table, width=max(console.width, width), no_wrap=True, overflow="ignore", crop=False)


def write_results(path: Path, results: Results, **context: object) -> None:
    """Write metrics by row, and what they were measured with, as JSON."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps({**context, "results": results}, indent=2) + "\n")
