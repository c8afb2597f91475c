"""Readers of two files: devices with latency budgets, and latencies measured on devices. No torch.

The comments in ``targets.yaml`` document the format of device files. A file of **measured** latencies is JSON, written
by a web page or a test on a device::

    {"results": [{"device": "galaxy_s25_npu", "file": "depth-int8.onnx", "sha256": "3f…", "runtime": "onnxruntime 1.30",
                  "runs": 100, "p50_ms": 4.2, "date": "2026-01-31"}]}

``device`` is a key of ``targets.yaml``. The measured file is identified by ``sha256``, or by its name ``file``. At
least one of the two is required.
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
    """A published latency of a network on a device.

    Attributes:
        network: name of the network.
        size: input (height, width).
        precision: ``fp32``, ``fp16`` or ``int8``, as run on the device.
        latency_ms: latency per frame.
        source: publication of the latency.
        checked: whether the latency was verified at its source.
    """

    network: str
    size: tuple[int, int]
    precision: str
    latency_ms: float
    source: str
    checked: bool


@dataclass(frozen=True)
class Device:
    """A device, or one processor of a device.

    Attributes:
        key: key in the device file.
        name: full name.
        budget_ms: latency budget per frame.
        reason: reason for the budget.
        references: published latencies, for context.
    """

    key: str
    name: str
    budget_ms: float
    reason: str
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class Measured:
    """The latency of one file, measured on a device.

    Attributes:
        device: key of the device.
        runtime: runtime and version that ran the file.
        runs: number of timed runs.
        p50_ms: median latency.
        date: date of the measurement, YYYY-MM-DD.
        file: name of the file; ignored if ``sha256`` is given.
        sha256: SHA-256 of the file.
    """

    device: str
    runtime: str
    runs: int
    p50_ms: float
    date: str
    file: str | None = None
    sha256: str | None = None


class _Rule(NamedTuple):
    expected: str
    is_valid: Callable[[Any], bool]
    required: bool = True


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


_TEXT = _Rule("a non-empty string", lambda value: isinstance(value, str) and bool(value.strip()))
_NAME = _Rule("a non-empty string", _TEXT.is_valid, required=False)
_MS = _Rule("a positive number of milliseconds, without a unit", _is_positive)
_DEVICE = {"name": _TEXT, "budget_ms": _MS, "reason": _TEXT, "references": _Rule("a list", lambda v: type(v) is list)}
_REFERENCE = {
    "network": _TEXT,
    "size": _Rule("[height, width], two positive integers", _is_size),
    "precision": _Rule("fp32, fp16 or int8", lambda value: value in ("fp32", "fp16", "int8")),
    "latency_ms": _MS,
    "source": _TEXT,
    "checked": _Rule("true or false", lambda value: isinstance(value, bool)),
}
_RESULT = {
    "device": _TEXT,
    "runtime": _TEXT,
    "runs": _Rule("a positive integer", lambda value: type(value) is int and value > 0),
    "p50_ms": _MS,
    "date": _Rule("a date, YYYY-MM-DD", _is_date),
    "file": _NAME,
    "sha256": _NAME,
}


def read_targets(path: Path = TARGETS) -> dict[str, Device]:
    """Read a file of devices.

    Returns:
        The devices by key.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, or an unknown, missing or invalid key. The message names file, device and key.
    """
    content = read_yaml(path)
    devices = content.get("devices") if isinstance(content, Mapping) else None
    if not isinstance(devices, Mapping) or not devices or not all(isinstance(key, str) for key in devices):
        raise ValueError(f"{path}: no mapping `devices` from keys to devices")
    found = {}
    for key, entry in devices.items():
        where = f"{path}: device {key}"
        _check(entry, _DEVICE, where)
        for reference in entry["references"]:
            named = reference.get("network", "without network") if isinstance(reference, Mapping) else reference
            _check(reference, _REFERENCE, f"{where}, reference {named}")
        references = tuple(Reference(**{**each, "size": tuple(each["size"])}) for each in entry["references"])
        found[key] = Device(key, **{**entry, "references": references})
    return found


def read_measured(path: Path) -> list[Measured]:
    """Read a file of latencies measured on devices.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, or an unknown, missing or invalid key. The message names file, result, device and key.
    """
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, list):
        raise ValueError(f'{path}: no list "results"')
    for index, result in enumerate(results, 1):
        device = result.get("device", "unknown") if isinstance(result, dict) else "unknown"
        where = f"{path}: result {index}, device {device}"
        _check(result, _RESULT, where)
        if not {"file", "sha256"} & set(result):
            raise ValueError(f"{where}: sha256 or file is required to identify the measured file")
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
        raise ValueError(f"{where}: {entry!r} is not a mapping with the keys {', '.join(rules)}")
    for key in entry:
        if key not in rules:
            close = difflib.get_close_matches(str(key), rules, n=1)
            expected = f"{close[0]}: {rules[close[0]].expected}" if close else f"one of {', '.join(rules)}"
            raise ValueError(f"{where}: unknown key {key}; expected {expected}")
    for key, rule in rules.items():
        if key not in entry and rule.required:
            raise ValueError(f"{where}: {key} is missing; expected {rule.expected}")
        if key in entry and not rule.is_valid(entry[key]):
            raise ValueError(f"{where}: {key} is {entry[key]!r}; expected {rule.expected}")
