"""``pocketdepth targets``: checks that need no device, and latency budgets of devices. No torch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from deploy.devices.budget_check import Verdict, check_budgets
from deploy.devices.gates import Gate, check_gates
from deploy.devices.targets import TARGETS, Device, read_measured, read_targets
from lightning_app.files import atomic_write, refuse_existing

_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow", "met": "green", "missed": "red"}


def check_targets(
    files: Sequence[Path],
    names: Sequence[str] = (),
    measured: Sequence[Path] = (),
    budget_ms: float | None = None,
    targets: Path | None = None,
    images: Path | None = None,
    output: Path | None = None,
    overwrite: bool = False,
) -> tuple[list[Gate], list[Verdict]]:
    """Check files for phones and print the results.

    Every file is compared with the latency budgets of devices. ONNX files also run through the checks that need no
    device.

    Args:
        files: ONNX or converted files; if empty, the devices are listed.
        names: keys of devices; all devices if empty.
        measured: JSON files of latencies measured on devices, see :mod:`deploy.devices.targets`.
        budget_ms: latency budget per frame; each device's own budget if None.
        targets: YAML file of devices; ``deploy/devices/targets.yaml`` if None.
        images: folder whose first two images are run on ARM; noise if None.
        output: JSON file to write, with the lists ``checks`` and ``budgets``.
        overwrite: replace an existing ``output``.

    Returns:
        The result of each check of each ONNX file, and the result of each file on each device.

    Raises:
        FileNotFoundError: no such file or folder.
        FileExistsError: ``output`` exists.
        ValueError: a corrupt ONNX file, an unknown device, or an invalid key or value in ``targets`` or ``measured``.
        RuntimeError: a check failed, or a measured latency exceeds its budget.
    """
    if not files:
        if output is not None or images is not None or budget_ms is not None or measured:
            raise ValueError("no file to check; give an ONNX or converted file, or no option but --device")
        list_devices(names, targets)
        return [], []
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    results = [result for path in measured for result in read_measured(path)]
    known = _known_devices([*names, *(result.device for result in results)], targets)
    devices = [known[name] for name in dict.fromkeys(names or known)]
    verdicts = check_budgets(files, devices, results, budget_ms)
    gates = [gate for file in files if file.suffix == ".onnx" for gate in check_gates(file, images)]
    chosen = {key for key in names or known if names or len(known) == 1}
    chosen |= {verdict.device for verdict in verdicts if verdict.detail}
    _show_devices(verdicts, [device for device in devices if device.key in chosen])
    _show_gates(gates)
    _show_verdicts(verdicts)
    print(f"\n{_summary(gates, verdicts)}")
    if not chosen:
        print("--device NAME shows the latencies that are published for a device")
    if output is not None:
        with atomic_write(output) as temporary:
            content = {"checks": list(map(asdict, gates)), "budgets": list(map(asdict, verdicts))}
            temporary.write_text(json.dumps(content, indent=2) + "\n")
    failures = _failures(gates, verdicts)
    if failures:
        raise RuntimeError("; ".join(failures))
    return gates, verdicts


def list_devices(names: Sequence[str] = (), targets: Path | None = None) -> None:
    """Print the devices with their latency budgets, and the latencies that are published for the named ones.

    Args:
        names: keys of devices; all devices, without published latencies, if empty.
        targets: YAML file of devices; ``deploy/devices/targets.yaml`` if None.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unknown device, or an invalid key or value in ``targets``.
    """
    known = _known_devices(names, targets)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("device", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("budget ms", justify="right", no_wrap=True)
    for key in dict.fromkeys(names or known):
        table.add_row(key, escape(known[key].name), f"{known[key].budget_ms:g}")
    Console(width=max(Console().width, 80), highlight=False).print(table)
    _show_devices([], [known[name] for name in dict.fromkeys(names)])
    print("\nto check files: pocketdepth targets FILE.onnx [--device NAME]")


def _known_devices(names: Sequence[str], targets: Path | None) -> dict[str, Device]:
    """Read the devices. Raises ValueError if one of the names is not among them."""
    known = read_targets(targets or TARGETS)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{targets or TARGETS}: unknown device {unknown[0]!r}; choose from {', '.join(known)}")
    return known


def _failures(gates: Sequence[Gate], verdicts: Sequence[Verdict]) -> list[str]:
    """An error message for failed checks and one for missed budgets, each with the first case."""
    failed = [gate for gate in gates if gate.status == "failed"]
    missed = [verdict for verdict in verdicts if verdict.status == "missed"]
    lines = []
    if failed:
        first = f"{failed[0].file}: {failed[0].gate}: {failed[0].detail}"
        lines.append(f"{len(failed)} of {len(gates)} checks failed: {first}")
    if missed:
        first = (
            f"{missed[0].file}: {missed[0].latency_ms:.2f} ms on {missed[0].device}, budget {missed[0].budget_ms:g} ms"
        )
        lines.append(f"{len(missed)} latency budget{'s'[: len(missed) != 1]} missed: {first}")
    return lines


def _show_gates(gates: Sequence[Gate]) -> None:
    if not gates:
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("file", "check", "result", "detail"):
        table.add_column(column, overflow="fold")
    for gate in gates:
        table.add_row(Path(gate.file).name, gate.gate, _coloured(gate.status), escape(gate.detail))
    Console().print(table)


def _show_verdicts(verdicts: Sequence[Verdict]) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("device", no_wrap=True)
    table.add_column("file", overflow="fold")
    for name in ("latency ms", "budget ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for each in verdicts:
        latency = "" if each.latency_ms is None else f"{each.latency_ms:.2f}"
        table.add_row(each.device, Path(each.file).name, latency, f"{each.budget_ms:g}", _coloured(each.status))
    print()
    Console(width=max(Console().width, 80), highlight=False).print(table)


def _summary(gates: Sequence[Gate], verdicts: Sequence[Verdict]) -> str:
    """Number of checks and of budgets with each result."""
    checks, budgets = (Counter(each.status for each in results) for results in (gates, verdicts))
    parts = [(name, counts) for name, counts in (("checks", checks), ("latency budgets", budgets)) if counts]
    return "; ".join(f"{name}: {', '.join(f'{n} {status}' for status, n in counts.items())}" for name, counts in parts)


def _show_devices(verdicts: Sequence[Verdict], devices: Sequence[Device]) -> None:
    """Print budgets, details of measurements and published latencies of other networks."""
    console = Console(width=max(Console().width, 80), highlight=False)
    for device in devices:
        console.print(f"\n[bold]{escape(device.name)}[/]: {device.budget_ms:g} ms, {escape(device.reason)}")
        for each in verdicts:
            if each.device == device.key and each.detail:
                console.print(Padding(escape(f"{Path(each.file).name}: {each.detail}"), (0, 0, 0, 2)))
        for source in dict.fromkeys((each.source, each.checked) for each in device.references):
            console.print(Padding(f"[dim]{escape(_published(device, *source))}[/]", (0, 0, 0, 2)))


def _published(device: Device, source: str, checked: bool) -> str:
    """The latencies that one source publishes for a device."""
    figures = [
        f"{each.network} {each.size[0]}x{each.size[1]} {each.precision} {each.latency_ms:g} ms"
        for each in device.references
        if each.source == source
    ]
    return f"published by {source}{'' if checked else ' (unverified)'}: {', '.join(figures)}"


def _coloured(status: str) -> str:
    return f"[{_COLOURS[status]}]{status}[/]" if status in _COLOURS else status
