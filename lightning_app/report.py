"""Metrics as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lightning_app.files import written_whole
from lightning_app.metrics import COUNTS

Results = Mapping[str, Mapping[str, float]]


def print_results(results: Results, title: str) -> None:
    """Print metrics, a column for each entry of ``results``; the counts of frames stand below the metrics."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("")
    for column in results:
        table.add_column(column, justify="right")
    names = list(next(iter(results.values())))
    for name in names:
        style = "dim" if name in COUNTS else ""
        cells = [f"{values[name]:.0f}" if name in COUNTS else f"{values[name]:.3f}" for values in results.values()]
        table.add_row(name, *cells, style=style, end_section=names.index(name) == len(names) - len(COUNTS) - 1)
    Console().print(table)


def write_results(path: Path, results: Results, **context: object) -> None:
    """Write metrics, and what they were measured with, as JSON."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps({**context, "results": results}, indent=2) + "\n")
