"""``pocketdepth targets``: does a file meet a device's budget? Measured, or predicted and said to be. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from deploy.devices.targets import TARGETS, Device, Measured, read_measured, read_targets
from deploy.devices.transfer import BUILT, explain, file_precision, pairs_of, speed, time_here, why_not
from deploy.measure.timing import conditions
from lightning_app.files import atomic_write, refuse_existing


@dataclass(frozen=True)
class Verdict:
    """What is known of one file on one device.

    Attributes:
        device: its key.
        file: path.
        status: ``met`` or ``missed`` where it was measured there, ``predicted``, or ``unknown``.
        latency_ms: measured or predicted; None where it is unknown.
        budget_ms: what a frame may take.
        detail: how this is known, or why it is not.
    """

    device: str
    file: str
    status: str
    latency_ms: float | None
    budget_ms: float
    detail: str


def targets(
    files: Sequence[Path],
    names: Sequence[str] = (),
    budget_ms: float | None = None,
    measured: Sequence[Path] = (),
    file: Path | None = None,
    threads: int = 1,
    runs: int = 30,
    output: Path | None = None,
    overwrite: bool = False,
) -> list[Verdict]:
    """Judge files on devices, print a table, and fail where a measured result misses its budget.

    Args:
        files: that ship; predictions need ONNX.
        names: keys of devices; all if left out.
        budget_ms: instead of each device's own.
        measured: JSON files of results from devices, see :mod:`deploy.devices.targets`.
        file: the devices; ``deploy/devices/targets.yaml`` if left out.
        threads: of each session here.
        runs: timed runs of each file here, interleaved.
        output: a JSON file of the verdicts.
        overwrite: replace an ``output`` that exists.

    Raises:
        FileNotFoundError: no such file.
        FileExistsError: ``output`` exists.
        ValueError: an unknown device, or a file with a wrong key, unit or value.
        RuntimeError: a measured result misses its budget.
    """
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    known = read_targets(file or TARGETS)
    results = [result for path in measured for result in read_measured(path)]
    unknown = [name for name in (*names, *(result.device for result in results)) if name not in known]
    if unknown:
        raise ValueError(f"{file or TARGETS}: no device {unknown[0]!r}; known are {', '.join(known)}")
    devices = [known[name] for name in dict.fromkeys(names or known)]
    verdicts = judge(files, devices, results, budget_ms, threads, runs)
    if output is not None:
        with atomic_write(output) as temporary:
            content = {"how": conditions(threads, runs), "verdicts": [asdict(each) for each in verdicts]}
            temporary.write_text(json.dumps(content, indent=2) + "\n")
    _show(verdicts, devices, conditions(threads, runs))
    missed = [each for each in verdicts if each.status == "missed"]
    if missed:
        first, more = missed[0], f" (and {len(missed) - 1} more)" if len(missed) > 1 else ""
        raise RuntimeError(
            f"{first.file}: measured on {first.device} at {first.latency_ms:.2f} ms, {first.budget_ms:g} ms are allowed"
            + more
        )
    return verdicts


def judge(
    files: Sequence[Path],
    devices: Sequence[Device],
    measured: Iterable[Measured] = (),
    budget_ms: float | None = None,
    threads: int = 1,
    runs: int = 30,
) -> list[Verdict]:
    """Each file on each device: by the newest measurement of it there, otherwise by a prediction.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be opened.
    """
    measured = list(measured)
    hashes = {path: _sha256(path) for path in files}
    found = {(device.key, path): _newest(measured, device, path, hashes[path]) for device in devices for path in files}
    kinds = {path: file_precision(path) for _, path in (pair for pair, result in found.items() if result is None)}
    host = time_here(
        [(device, kinds[path], path) for device in devices for path in files if found[device.key, path] is None],
        threads,
        runs,
    )
    verdicts = []
    for device in devices:
        budget = budget_ms or device.budget_ms
        for path in files:
            result = found[device.key, path]
            if result is not None:
                status, latency = ("met" if result.p50_ms <= budget else "missed"), result.p50_ms
                by = "" if result.sha256 else ", known by its name alone"
                detail = f"measured there on {result.date}, {result.runs} runs in {result.runtime}{by}"
            elif pairs := pairs_of(device, kinds[path], host):
                status, latency = "predicted", host.files[path] * speed(pairs)
                detail = f"not measured there; {explain(host.files[path], pairs)}"
            else:
                status, latency = "unknown", None
                detail = f"not measured there; {why_not(device, kinds[path])}"
            verdicts.append(Verdict(device.key, str(path), status, latency, budget, detail))
    return verdicts


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _newest(measured: Iterable[Measured], device: Device, path: Path, sha256: str) -> Measured | None:
    """The newest result of a file on a device, by its content where the result says that, otherwise by its name."""
    own = [
        each
        for each in measured
        if each.device == device.key and (each.sha256 == sha256 if each.sha256 else each.file == path.name)
    ]
    return max(own, key=lambda each: each.date, default=None)


def _show(verdicts: Sequence[Verdict], devices: Sequence[Device], how: str) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("device", no_wrap=True)
    table.add_column("file", overflow="fold")
    for name in ("ms", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in verdicts:
        latency = "-" if each.latency_ms is None else f"{each.latency_ms:.2f}"
        table.add_row(each.device, Path(each.file).name, latency, f"{each.budget_ms:g}", _words(each))
    console = Console(width=max(Console().width, 80), highlight=False)
    console.print(table)
    for device in devices:
        console.print(f"\n[bold]{escape(device.name)}[/]: {device.budget_ms:g} ms, {escape(device.reason)}")
        for each in verdicts:
            if each.device == device.key:
                console.print(Padding(escape(f"{Path(each.file).name}: {each.detail}"), (0, 0, 0, 2)))
        for source in dict.fromkeys((each.source, each.checked) for each in device.references):
            console.print(Padding(f"[dim]{escape(_published(device, *source))}[/]", (0, 0, 0, 2)))
    if any(each.status == "predicted" for each in verdicts):
        console.print(f"\nHere: {how}. A prediction is no measurement: none counts as met, and none fails.")


def _published(device: Device, source: str, checked: bool) -> str:
    """What one source says of a device."""
    figures = [
        f"{each.network} {each.size[0]}x{each.size[1]} {each.precision} {each.latency_ms:g} ms"
        + ("" if each.network in BUILT else " (cannot be built here: predicts nothing)")
        for each in device.references
        if each.source == source
    ]
    return f"published by {source}{'' if checked else ' (from memory: check)'}: {', '.join(figures)}"


def _words(verdict: Verdict) -> str:
    if verdict.status == "predicted" and verdict.latency_ms is not None:
        return f"predicted: {'within' if verdict.latency_ms <= verdict.budget_ms else 'over'}"
    return {"met": "met, measured", "missed": "MISSED, measured"}.get(verdict.status, verdict.status)
