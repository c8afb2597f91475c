"""The report of `pocketdepth ship`: results and example images on one HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, FileSystemLoader
from rich.progress import track

from deploy.inference.images import spread
from deploy.inference.onnx_network import OnnxNetwork
from deploy.shipping.limits import Check, accuracy_loss
from deploy.shipping.report_pictures import CHANGE_SHOWN, as_jpeg, as_svg, contact_sheet, draw_pareto, photograph
from deploy.shipping.ship_folder import ShipFolder, read_json
from lightning_app.files import atomic_write

PHOTOGRAPHS = 3
BARS = 12  # number of layers in each bar chart


def write_report(output: ShipFolder, checks: Sequence[Check], checkpoint: Path, photographs: Sequence[Path]) -> Path:
    """Write ``report.html``, a self-contained page, and its images as ``report-*.png``.

    Args:
        output: output folder with all results. The report is written into it.
        checks: results of the limits.
        checkpoint: checkpoint that the files were built from.
        photographs: images, of which a few are shown with the depth of every file.

    Returns:
        Path of the page.
    """
    first, folder, measured = output.plan.first, output.folder, output.measured
    points = {name: (measured[name].latency_ms, measured[name].abs_rel or 0.0) for name in output.plan.variants}
    others = {name: each.latency_ms for name, each in measured.items() if name not in points}
    figure = draw_pareto(points, others, first, output.protocol)
    with atomic_write(folder / "report-pareto.png") as temporary:
        figure.savefig(temporary, dpi=160)
    files = {name: output.file(name) for name in output.plan.variants}
    views = [photograph(path, files) for path in track(spread(photographs, PHOTOGRAPHS), "photographs")]
    contact_sheet(views, folder / "report-photographs.png")
    pictures = [
        [(caption, [base64.b64encode(as_jpeg(each)).decode() for each in shown]) for caption, shown in row.items()]
        for row in views
    ]
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    height, width = output.plan.size
    text = templates.get_template("report.html").render(
        title=f"{len(files)} files for phones, {height}x{width}",
        subtitle=f"Built from {checkpoint}.",
        checks=checks,
        broken=sum(not check.kept for check in checks),
        pareto=as_svg(figure),
        first=first,
        protocol=output.protocol,
        frames=measured[first].frames,
        split=output.plan.split,
        rows=_rows(output),
        gates={name: read_json(output.gates(name)) for name in files},
        verdicts=_verdicts(output),
        photographs=pictures,
        change_shown=CHANGE_SHOWN,
        layers=[_layers(output, name) for name in output.profiled],
        sensitivity=_sensitivity(output),
        how=_conditions(output),
    )
    page = folder / "report.html"
    with atomic_write(page) as temporary:
        temporary.write_text(text)
    return page


def _rows(output: ShipFolder) -> list[dict[str, Any]]:
    """The rows of the table of files, as text."""
    measured, first = output.measured, output.plan.first
    rows = []
    for name, row in output.rows.items():
        each, known = measured[name], name in output.plan.variants
        rows.append(
            {
                "name": name,
                "reference": not known,
                "abs_rel": _formatted(each.abs_rel, ".3f"),
                "change": f"{accuracy_loss(measured, name, first):+.2%}" if known and name != first else "",
                "delta1": _formatted(each.delta1, ".3f"),
                "sqnr": _formatted(each.sqnr_db, ".1f"),
                "p50": f"{row['p50_ms']:.2f}",
                "p90": f"{row['p90_ms']:.2f}",
                "p99": f"{row['p99_ms']:.2f}",
                "first": _formatted(row["first_ms"], ".1f"),
                "times": f"{measured[first].latency_ms / each.latency_ms:.2f}",
                "size": f"{row['size_mb']:.2f}",
                "zipped": f"{row['compressed_mb']:.2f}",
                "memory": _formatted(row["memory_mb"], ".0f"),
                "gmac": _formatted(row["gmac"], ".2f"),
            }
        )
    return rows


def _verdicts(output: ShipFolder) -> list[dict[str, str]]:
    """The rows of the table of devices, as text."""
    return [
        {
            "device": verdict["device"],
            "file": Path(verdict["file"]).stem,
            "latency": "" if verdict["latency_ms"] is None else f"{verdict['latency_ms']:.2f} ms",
            "budget": f"{verdict['budget_ms']:g} ms",
            "status": verdict["status"],
            "detail": verdict["detail"],
        }
        for verdict in output.verdicts
    ]


def _layers(output: ShipFolder, name: str) -> dict[str, Any]:
    """Bars of the slowest layers of a file."""
    times = read_json(output.layers(name))
    slowest = sorted(times, key=lambda each: -each["time_ms"])[:BARS]
    longest = slowest[0]["time_ms"]
    return {
        "name": name,
        "precision": "int8" if output.plan.variants[name].quantized else "",
        "total": f"{sum(each['time_ms'] for each in times):.2f}",
        "bars": [
            {
                "title": each["name"],
                "label": f"{each['kind']} {'x'.join(map(str, each['output'][1:]))}",
                "share": 60 * each["time_ms"] / longest,
                "figure": f"{each['time_ms']:.2f} ms",
            }
            for each in slowest
        ],
    }


def _sensitivity(output: ShipFolder) -> list[dict[str, Any]]:
    """Bars of the layers with the highest sensitivity to int8; empty if no variant is in static int8."""
    layers = sorted(output.sensitivity, key=lambda each: -each["gain_db"])[:BARS]
    if not layers:
        return []
    most = max(layers[0]["gain_db"], 1e-9)
    return [
        {
            "title": each["node"],
            "label": f"{each['kind']} {each['node']}",
            "share": 60 * max(each["gain_db"], 0) / most,
            "figure": f"{each['gain_db']:+.2f} dB, {each['cost_ms']:+.2f} ms",
        }
        for each in layers
    ]


def _conditions(output: ShipFolder) -> list[tuple[str, str]]:
    """The conditions of the measurements."""
    plan = output.plan
    return [
        ("machine", output.timing["how"]),
        ("versions", f"pocketdepth {version('pocketdepth')}, torch {torch.__version__}"),
        ("evaluation data", f"{plan.split} split of {', '.join(plan.data)}: {output.scores[plan.first]['frames']}"),
        ("calibration data", plan.images or f"training frames of {', '.join(plan.data)}"),
        *_calibration(output),
        ("files", f"{output.folder}/files"),
        ("variants", "; ".join(f"{name}: {_recipe(output, name)}" for name in plan.variants)),
        ("RAM", "peak memory of a fresh process over three runs, without the runtime itself"),
    ]


def _calibration(output: ShipFolder) -> list[tuple[str, str]]:
    """The quantization of each quantized file, from its metadata."""
    rows = []
    for name, variant in output.plan.variants.items():
        if variant.quantized:
            info = OnnxNetwork(output.file(name)).info
            rows.append((name, f"{info.quantized}" + (f"; WARNING: {info.warning}" if info.warning else "")))
    return rows


def _recipe(output: ShipFolder, name: str) -> str:
    """The build steps of a variant."""
    variant = output.plan.variants[name]
    steps = [f"from {variant.start}"] if variant.start else []
    steps += [f"pruned to {variant.prune:.0%} of the multiply-accumulates"] if variant.prune else []
    steps += [f"fine-tuned ({' '.join(variant.fine_tune)})"] if variant.fine_tune else []
    return ", ".join([*steps, variant.scheme])


def _formatted(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
