"""Checks of measured figures against the limits of a plan. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.shipping.plan import Limits


@dataclass(frozen=True)
class Measured:
    """The measured figures of one file.

    Attributes:
        abs_rel: abs_rel under the plan's first protocol; None for a reference network, which has random weights.
        delta1: delta1 under the plan's first protocol; None for a reference network.
        frames: number of scored frames.
        sqnr_db: SQNR against the float file that the file was quantized from; None for a float file.
        size_mb: file size in 10^6 bytes.
        latency_ms: median latency.
        gates: result of each check by name: ``passed``, or ``failed`` or ``skipped`` with the reason. Empty for a
            reference network.
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
    """The result of one limit of one variant.

    Attributes:
        variant: name of the variant.
        limit: name of the limit, for tables.
        asked: limit with its unit.
        measured: measured figure with its unit.
        kept: whether the measured figure meets the limit.
    """

    variant: str
    limit: str
    asked: str
    measured: str
    kept: bool


def accuracy_loss(measured: Mapping[str, Measured], variant: str, first: str) -> float:
    """The relative increase of abs_rel over the baseline; negative if the variant is better.

    Args:
        measured: figures by variant.
        variant: name of the variant.
        first: name of the baseline variant.

    Raises:
        RuntimeError: the two were not scored on the same number of frames.
    """
    ours, theirs = measured[variant], measured[first]
    assert ours.abs_rel is not None
    assert theirs.abs_rel is not None
    if ours.frames != theirs.frames:
        raise RuntimeError(
            f"{variant} was scored on {ours.frames} frames, {first} on {theirs.frames}; the scores are not comparable"
        )
    return ours.abs_rel / theirs.abs_rel - 1


def check_limits(limits: Mapping[str, Limits], measured: Mapping[str, Measured], first: str) -> list[Check]:
    """Check every limit of every variant, in the plan's order.

    Args:
        limits: limits by variant.
        measured: figures by variant and reference network.
        first: name of the baseline variant.

    Raises:
        RuntimeError: a variant was not scored on the same number of frames as the baseline.
    """
    return [check for name in limits for check in _checks(name, limits[name], measured, first)]


def _checks(name: str, limits: Limits, measured: Mapping[str, Measured], first: str) -> Iterator[Check]:
    ours = measured[name]
    if limits.accuracy_loss is not None:
        loss = accuracy_loss(measured, name, first)
        asked = f"at most {limits.accuracy_loss:+.1%}"
        yield Check(name, f"abs_rel vs. {first}", asked, f"{loss:+.2%}", loss <= limits.accuracy_loss)
    if limits.sqnr_db is not None and ours.sqnr_db is not None:
        asked = f"at least {limits.sqnr_db:g} dB"
        yield Check(name, "SQNR", asked, f"{ours.sqnr_db:.1f} dB", ours.sqnr_db >= limits.sqnr_db)
    if limits.size_mb is not None:
        asked = f"at most {limits.size_mb:g} MB"
        yield Check(name, "size", asked, f"{ours.size_mb:.2f} MB", ours.size_mb <= limits.size_mb)
    if limits.latency_ms is not None:
        asked = f"at most {limits.latency_ms:g} ms"
        kept = ours.latency_ms <= limits.latency_ms
        yield Check(name, "latency on this machine", asked, f"{ours.latency_ms:.2f} ms", kept)
    for other, times in limits.times_as_fast.items():
        reached = measured[other].latency_ms / ours.latency_ms
        yield Check(name, f"speedup over {other}", f"at least {times:g}x", f"{reached:.2f}x", reached >= times)
    for gate in limits.gates:
        yield Check(name, gate, "passed", ours.gates[gate], ours.gates[gate] == "passed")
