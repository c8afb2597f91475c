"""The limits of a plan, checked against what was measured. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.shipping.plan import Limits


@dataclass(frozen=True)
class Measured:
    """The measured figures of one file.

    Attributes:
        abs_rel: under the plan's first protocol; None for a reference, whose weights are random.
        delta1: likewise.
        frames: number of scored frames.
        sqnr_db: against the float file that it was quantized from; None for a float file.
        size_mb: on disk, in 10^6 bytes.
        latency_ms: the median.
        gates: ``passed``, or ``failed`` or ``skipped`` and why, by name; empty for a reference.
    """

    abs_rel: float | None
    delta1: float | None
    frames: int
    sqnr_db: float | None
    size_mb: float
    latency_ms: float
    gates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One limit of one variant.

    Attributes:
        variant: its name.
        limit: its name, for the table.
        asked: the figure of the plan, with its unit.
        measured: the measured figure, with its unit.
        kept: whether the measured figure is within the limit.
    """

    variant: str
    limit: str
    asked: str
    measured: str
    kept: bool


def accuracy_loss(measured: Mapping[str, Measured], variant: str, first: str) -> float:
    """The relative increase of a variant's abs_rel over the baseline's; negative if it is better.

    Raises:
        RuntimeError: the two were not scored on the same number of frames.
    """
    ours, theirs = measured[variant], measured[first]
    assert ours.abs_rel is not None
    assert theirs.abs_rel is not None
    if ours.frames != theirs.frames:
        raise RuntimeError(f"{variant} was scored on {ours.frames} frames, {first} on {theirs.frames}: not comparable")
    return ours.abs_rel / theirs.abs_rel - 1


def check_limits(limits: Mapping[str, Limits], measured: Mapping[str, Measured], first: str) -> list[Check]:
    """Check every limit of every variant, in the plan's order.

    Args:
        limits: by variant.
        measured: by variant and reference.
        first: the name of the baseline variant.
    """
    return [check for name in limits for check in _checks(name, limits[name], measured, first)]


def _checks(name: str, limits: Limits, measured: Mapping[str, Measured], first: str) -> Iterator[Check]:
    ours = measured[name]
    if limits.accuracy_loss is not None:
        loss = accuracy_loss(measured, name, first)
        asked = f"at most {limits.accuracy_loss:+.1%}"
        yield Check(name, f"abs_rel against {first}", asked, f"{loss:+.2%}", loss <= limits.accuracy_loss)
    if limits.sqnr_db is not None and ours.sqnr_db is not None:
        asked = f"at least {limits.sqnr_db:g} dB"
        yield Check(name, "signal to noise", asked, f"{ours.sqnr_db:.1f} dB", ours.sqnr_db >= limits.sqnr_db)
    if limits.size_mb is not None:
        asked = f"at most {limits.size_mb:g} MB"
        yield Check(name, "size", asked, f"{ours.size_mb:.2f} MB", ours.size_mb <= limits.size_mb)
    if limits.latency_ms is not None:
        asked = f"at most {limits.latency_ms:g} ms"
        kept = ours.latency_ms <= limits.latency_ms
        yield Check(name, "latency on this machine", asked, f"{ours.latency_ms:.2f} ms", kept)
    for other, times in limits.times_as_fast.items():
        reached = measured[other].latency_ms / ours.latency_ms
        yield Check(name, f"as fast as {other}", f"at least {times:g} times", f"{reached:.2f} times", reached >= times)
    for gate in limits.gates:
        yield Check(name, gate, "passed", ours.gates[gate], ours.gates[gate] == "passed")
