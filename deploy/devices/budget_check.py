"""Comparison of measured latencies with the latency budgets of devices. No torch."""

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
    """The result of one file on one device.

    Attributes:
        device: key of the device.
        file: path of the file.
        status: ``met``, ``missed`` or ``not measured``.
        latency_ms: measured median latency; None if not measured.
        budget_ms: latency budget per frame.
        detail: date and conditions of the measurement; empty if not measured.
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
        files: files of any format. They are matched with results by SHA-256, or by name if a result has no SHA-256.
        devices: devices to report on.
        measured: latencies measured on devices.
        budget_ms: latency budget per frame; each device's own budget if None.

    Returns:
        The result of each file on each device.

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
    """The newest result of a file on a device, matched by SHA-256 or, if the result has none, by name."""
    own = [
        each
        for each in measured
        if each.device == device.key and (each.sha256 == sha256 if each.sha256 else each.file == path.name)
    ]
    return max(own, key=lambda each: each.date, default=None)
