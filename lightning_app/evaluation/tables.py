"""Print metrics as tables and write them as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_app.evaluation.metrics import COUNTS
from lightning_app.files import atomic_write

Results = Mapping[str, Mapping[str, float]]

_RANGE_METRICS = ("abs_rel", "rmse", "delta1")
_HEADLINE = ("abs_rel", "rmse", "delta1", "whdr", "edge_accuracy_px", "edge_completeness_px")
_PER_DATASET_METRICS = ("abs_rel", "rmse", "delta1", "whdr")


@dataclass(frozen=True)
class Row:
    """Metrics of a data set under one protocol.

    Attributes:
        data: name of the data set.
        protocol: name of the protocol; ``missing`` or ``not scored`` if there are no metrics.
        metrics: metrics and frame counts; empty if the data set was not scored.
        note: reason why the data set was not scored.
    """

    data: str
    protocol: str
    metrics: Mapping[str, float]
    note: str = ""


def print_results(results: Results, title: str, file: Path | None = None) -> None:
    """Print a table of metrics, and below it a line with the main metrics and the frame counts of each column.

    Args:
        results: metrics by name; one column for each entry.
        title: title of the table.
        file: file with all metrics. The table then leaves out those by depth range.
    """
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    for column in results:
        table.add_column(column, justify="right")
    names = list(dict.fromkeys(name for values in results.values() for name in values if _shown(name)))
    sections = [
        [name for name in names if "/" in name] if file is None else [],
        [name for name in names if name not in COUNTS and "/" not in name],
    ]
    for section in sections:
        for name in section:
            cells = [_cell(values, name) for values in results.values()]
            table.add_row(name.replace("/", " "), *cells, end_section=name == section[-1])
    print_table(table, title)
    if file is not None:
        print(f"by depth range: {file}")
    for column, values in results.items():
        print(f"{' '.join(column.split())}: {headline(values)}")


def headline(values: Mapping[str, float]) -> str:
    """The main metrics and the frame counts of a protocol, as one line."""
    metrics = ", ".join(f"{name} {_cell(values, name)}" for name in _HEADLINE if name in values)
    return f"{metrics} ({', '.join(f'{_cell(values, name)} {name}' for name in COUNTS)})"


def print_per_dataset(rows: Sequence[Row], title: str) -> None:
    """Print a table of data sets and protocols, and the reasons why data sets were not scored."""
    scored = [row for row in rows if row.metrics]
    names = [name for name in _PER_DATASET_METRICS if any(name in row.metrics for row in scored)]
    table = Table(box=SIMPLE_HEAD)
    table.add_column("protocol", no_wrap=True)
    for column in (*names, *COUNTS):
        table.add_column(column, justify="right", no_wrap=True)
    for data in dict.fromkeys(row.data for row in scored):
        table.add_row(Text(data, style="bold"))
        of_data = [row for row in scored if row.data == data]
        for row in of_data:
            cells = [_cell(row.metrics, name) for name in (*names, *COUNTS)]
            table.add_row(f"  {row.protocol}", *cells, end_section=row is of_data[-1])
    print_table(table, title)
    for row in rows:
        if row.note:
            print(f"{row.protocol}: {row.note}")


def write_results(path: Path, results: Results, **context: object) -> None:
    """Write metrics as JSON, with ``context`` at the top level; a metric without frames is null."""
    _write(path, {**context, "results": {name: _without_nan(values) for name, values in results.items()}})


def write_per_dataset(path: Path, rows: Sequence[Row], **context: object) -> None:
    """Write rows as JSON, with ``context`` at the top level."""
    _write(path, {**context, "rows": [asdict(row) | {"metrics": _without_nan(row.metrics)} for row in rows]})


def print_table(table: Table, title: str) -> None:
    """Print a title and a table. A title inside of the table would be wrapped at the table's width."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # a file has no width limit
    console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(table)


def _shown(name: str) -> bool:
    return "/" not in name or name.endswith(_RANGE_METRICS)


def _cell(values: Mapping[str, float], name: str) -> str:
    if name not in values or math.isnan(values[name]):
        return "-"
    return f"{values[name]:.0f}" if name in COUNTS else f"{values[name]:.3f}"


def _without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    """Replace NaN and infinity by None, as JSON does not support them."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
