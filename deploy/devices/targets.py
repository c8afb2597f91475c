"""Devices with their latency budgets, and latencies measured on them: the formats of two files. No torch.

``targets.yaml`` documents its own format. A **measured** file is JSON, as a page or a test on a device writes it::

    {"results": [{"device": "galaxy_s25_npu", "file": "depth-int8.onnx", "sha256": "3f…", "runtime": "onnxruntime 1.30",
                  "runs": 100, "p50_ms": 4.2, "date": "2026-01-31"}]}

``device`` is a key of ``targets.yaml``. The file that ran is named by ``sha256``, or by ``file``, its name.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from lightning_app.config import read_yaml

TARGETS = Path(__file__).with_name("targets.yaml")


@dataclass(frozen=True)
class Reference:
    """A network that somebody timed on a device.

    Attributes:
        network: its name.
        size: (height, width).
        precision: ``fp32``, ``fp16`` or ``int8``, as it ran on the device.
        latency_ms: of one frame.
        source: where the figure is published.
        checked: whether it was verified at its source.
    """

    network: str
    size: tuple[int, int]
    precision: str
    latency_ms: float
    source: str
    checked: bool


@dataclass(frozen=True)
class Device:
    """A device, or one of its processors.

    Attributes:
        key: its short name.
        name: its name.
        budget_ms: latency budget per frame.
        reason: why.
        references: published latencies, for context.
    """

    key: str
    name: str
    budget_ms: float
    reason: str
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class Measured:
    """One file's latency, measured on a device.

    Attributes:
        device: its key.
        runtime: what ran the file.
        runs: how many.
        p50_ms: their median.
        date: of the measurement, YYYY-MM-DD.
        file: the file's name.
        sha256: of the file; where it is known the name does not count.
    """

    device: str
    runtime: str
    runs: int
    p50_ms: float
    date: str
    file: str | None = None
    sha256: str | None = None


class _Rule(NamedTuple):
    right: str
    holds: Callable[[Any], bool]
    needed: bool = True


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


_TEXT = _Rule("a text", lambda value: isinstance(value, str) and bool(value.strip()))
_NAME = _Rule("a text, or left out where the other of file and sha256 is there", _TEXT.holds, needed=False)
_MS = _Rule("a positive number of milliseconds, without a unit", _is_positive)
_DEVICE = {"name": _TEXT, "budget_ms": _MS, "reason": _TEXT, "references": _Rule("a list", lambda v: type(v) is list)}
_REFERENCE = {
    "network": _TEXT,
    "size": _Rule("[height, width], two whole numbers", _is_size),
    "precision": _Rule("fp32, fp16 or int8", lambda value: value in ("fp32", "fp16", "int8")),
    "latency_ms": _MS,
    "source": _TEXT,
    "checked": _Rule("true or false", lambda value: isinstance(value, bool)),
}
_RESULT = {
    "device": _TEXT,
    "runtime": _TEXT,
    "runs": _Rule("a whole number above 0", lambda value: type(value) is int and value > 0),
    "p50_ms": _MS,
    "date": _Rule("a day, YYYY-MM-DD", _is_date),
    "file": _NAME,
    "sha256": _NAME,
}


def read_targets(path: Path = TARGETS) -> dict[str, Device]:
    """Read a file of targets; devices by key.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, or a key, a unit or a value that is wrong: names file, device and key.
    """
    content = read_yaml(path)
    devices = content.get("devices") if isinstance(content, Mapping) else None
    if not isinstance(devices, Mapping) or not devices or not all(isinstance(key, str) for key in devices):
        raise ValueError(f"{path}: has no section `devices`, with a short name for each device")
    found = {}
    for key, entry in devices.items():
        where = f"{path}: device {key}"
        _check(entry, _DEVICE, where)
        for reference in entry["references"]:
            named = reference.get("network", "without a network") if isinstance(reference, Mapping) else reference
            _check(reference, _REFERENCE, f"{where}, reference {named}")
        references = tuple(Reference(**{**each, "size": tuple(each["size"])}) for each in entry["references"])
        found[key] = Device(key, **{**entry, "references": references})
    return found


def read_measured(path: Path) -> list[Measured]:
    """Read what was measured on devices.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, or a key, a unit or a value that is wrong: names file, device and key.
    """
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, list):
        raise ValueError(f'{path}: has no list "results"')
    for index, result in enumerate(results, 1):
        device = result.get("device", "unknown") if isinstance(result, dict) else "unknown"
        where = f"{path}: result {index}, device {device}"
        _check(result, _RESULT, where)
        if not {"file", "sha256"} & set(result):
            raise ValueError(f"{where}: does not say which file ran: sha256 or file is missing")
    return [Measured(**result) for result in results]


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file") from error


def _check(entry: Any, rules: Mapping[str, _Rule], where: str) -> None:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: {entry!r} is no mapping with the keys {', '.join(rules)}")
    for key in entry:
        if key not in rules:
            close = difflib.get_close_matches(str(key), rules, n=1)
            right = f"{close[0]}: {rules[close[0]].right}" if close else f"one of {', '.join(rules)}"
            raise ValueError(f"{where}: unknown key {key}; right is {right}")
    for key, rule in rules.items():
        if key not in entry and rule.needed:
            raise ValueError(f"{where}: {key} is missing; right is {rule.right}")
        if key in entry and not rule.holds(entry[key]):
            raise ValueError(f"{where}: {key} is {entry[key]!r}; right is {rule.right}")
