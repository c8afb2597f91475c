"""Latency budgets of devices against what was measured there. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.devices.targets import Device, Measured

Status = Literal["met", "missed", "not measured"]


@dataclass(frozen=True)
class Verdict:
    """A device's latency budget and a file's latency there.

    Attributes:
        device: its key.
        file: path.
        status: ``met``, ``missed`` or ``not measured``.
        latency_ms: the measured median; None where nothing was measured.
        budget_ms: the latency budget per frame.
        detail: when and how it was measured; empty where nothing was measured.
    """

    device: str
    file: str
    status: Status
    latency_ms: float | None
    budget_ms: float
    detail: str


def check_budgets(
    files: Sequence[Path],
    devices: Sequence[Device],
    measured: Iterable[Measured] = (),
    budget_ms: float | None = None,
) -> list[Verdict]:
    """Compare each file's newest measured latency on each device with the device's budget.

    Args:
        files: of any format; matched with the results by SHA-256, or by name where a result has none.
        devices: to report on.
        measured: results of devices.
        budget_ms: instead of each device's own budget.

    Raises:
        FileNotFoundError: no such file.
    """
    measured = list(measured)
    hashes = {path: _sha256(path) for path in files}
    verdicts = []
    for device in devices:
        budget = budget_ms or device.budget_ms
        for path in files:
            result = _newest(measured, device, path, hashes[path])
            if result is None:
                verdicts.append(Verdict(device.key, str(path), "not measured", None, budget, ""))
                continue
            status: Status = "met" if result.p50_ms <= budget else "missed"
            by = "" if result.sha256 else ", matched by file name"
            detail = f"measured on {result.date}, {result.runs} runs in {result.runtime}{by}"
            verdicts.append(Verdict(device.key, str(path), status, result.p50_ms, budget, detail))
    return verdicts


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _newest(measured: Iterable[Measured], device: Device, path: Path, sha256: str) -> Measured | None:
    """The newest result of a file on a device, by its SHA-256 where the result has one, otherwise by its name."""
    own = [
        each
        for each in measured
        if each.device == device.key and (each.sha256 == sha256 if each.sha256 else each.file == path.name)
    ]
    return max(own, key=lambda each: each.date, default=None)
