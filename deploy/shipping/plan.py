"""The plan of `pocketdepth ship`: the variants of a checkpoint, and the limits that they must keep."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from deploy.benchmark.references import NETWORKS
from deploy.devices.gates import GATES
from deploy.quantization.quantizer import Scheme as QuantizedBy
from lightning_app.config import build, read_yaml


@dataclass(frozen=True)
class Limits:
    """The limits of a variant; one that is left out is not checked, but measured all the same.

    Attributes:
        accuracy_loss: largest relative increase of abs_rel over the first variant's: 0.01 is one percent.
        sqnr_db: lowest SQNR of its depth against the float file that it was quantized from.
        size_mb: largest size of the file, in 10^6 bytes.
        latency_ms: highest median latency on this machine.
        times_as_fast: lowest speedup over other variants or references, by name.
        gates: checks of `pocketdepth targets` that it must pass, by name: one that is skipped here is not passed.
    """

    accuracy_loss: float | None = None
    sqnr_db: float | None = None
    size_mb: float | None = None
    latency_ms: float | None = None
    times_as_fast: dict[str, float] = field(default_factory=dict)
    gates: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Variant:
    """One file for a phone, and how it is built: start, prune, fine-tune, export, quantize.

    Attributes:
        start: an earlier variant, whose checkpoint this one starts from; the given checkpoint if left out.
        prune: share of the multiply-accumulates to keep.
        fine_tune: arguments of `fit` on top of the checkpoint's own YAML: ``[-c, x.yaml, --trainer.max_steps, "300"]``.
        scheme: of the file: ``fp32``, ``fp16``, or how it is quantized.
        limits: of its file.
    """

    start: str | None = None
    prune: float | None = None
    fine_tune: list[str] = field(default_factory=list)
    scheme: Literal["fp32", "fp16", "static", "dynamic", "a16w8"] = "fp32"
    limits: Limits = field(default_factory=Limits)

    @property
    def precision(self) -> Literal["fp32", "fp16"]:
        """The precision of the exported file."""
        return "fp16" if self.scheme == "fp16" else "fp32"

    @property
    def quantized(self) -> QuantizedBy | None:
        """The quantization scheme; None for a float file."""
        return None if self.scheme == "fp32" or self.scheme == "fp16" else self.scheme


@dataclass(frozen=True)
class Plan:
    """Variants of a checkpoint, and the data to measure them on.

    Attributes:
        variants: by name; the first is the baseline, a float file.
        size: (height, width) of all files.
        data: YAMLs whose data section is scored; a later one overrides an earlier one.
        images: folder to calibrate on, below the data root; the data section's training frames if left out.
        split: ``val`` or ``test``.
        protocols: names; limits apply to the first; the data section's if left out.
        photographs: folder, below the data root, of the images that the report shows and that SQNR is measured on;
            ``images`` if left out.
        references: published networks to time beside the files, of
            :data:`deploy.benchmark.references.NETWORKS`: ``resnet18``, ``pydnet``, ``fastdepth``; in int8 their names
            end in ``-int8``.
        devices: keys of deploy/devices/targets.yaml, whose latency budgets the files are checked against.
        measured: JSON files of results from devices, see :mod:`deploy.devices.targets`.
    """

    variants: dict[str, Variant]
    size: tuple[int, int]
    data: list[str]
    images: str | None = None
    split: Literal["val", "test"] = "test"
    protocols: list[str] | None = None
    photographs: str | None = None
    references: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The name of the baseline variant."""
        return next(iter(self.variants))

    @property
    def names(self) -> list[str]:
        """The names of all files that are timed."""
        return [*self.variants, *(name + suffix for name in self.references for suffix in ("", "-int8"))]


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: an unknown or missing key, a value of the wrong type, or a name that no variant has.
    """
    content = read_yaml(path)
    variants = content.get("variants") if isinstance(content, dict) else None
    if not isinstance(variants, dict) or not variants:
        raise ValueError(f"{path}: names no variants")
    parsed = {name: build(Variant, [each or {}], f"{path}: {name}") for name, each in variants.items()}
    plan = replace(build(Plan, [content | {"variants": {}}], str(path)), variants=parsed)
    _check(plan, path)
    return plan


def below_data_root(path: str) -> Path:
    """A folder below the data root, as the data modules take theirs.

    Raises:
        FileNotFoundError: there is none.
    """
    root = os.environ.get("POCKETDEPTH_DATA")
    found = Path(root or "data") / path
    if not found.exists():
        where = f"POCKETDEPTH_DATA is {root}" if root else "POCKETDEPTH_DATA is not set, so the data root is data/"
        raise FileNotFoundError(f"{found}: no such folder; {where}")
    return found


def _check(plan: Plan, path: Path) -> None:
    if plan.images is None and plan.photographs is None:
        raise ValueError(f"{path}: names neither images, to calibrate on, nor photographs, for the report")
    strangers = [name for name in plan.references if name not in NETWORKS]
    if strangers:
        raise ValueError(f"{path}: no reference is called {strangers[0]!r}; there are {', '.join(NETWORKS)}")
    if plan.variants[plan.first].quantized:
        raise ValueError(f"{path}: the first variant, {plan.first}, is what the others are compared with: fp32 or fp16")
    for index, (name, variant) in enumerate(plan.variants.items()):
        above = list(plan.variants)[:index]
        if variant.start is not None and variant.start not in above:
            raise ValueError(f"{path}: {name} starts from {variant.start}, which is no variant above it")
        strangers = [other for other in variant.limits.times_as_fast if other not in plan.names]
        if strangers:
            known = ", ".join(plan.names)
            raise ValueError(f"{path}: {name} is to be faster than {strangers[0]}, which is not among {known}")
        unknown = [gate for gate in variant.limits.gates if gate not in GATES]
        if unknown:
            raise ValueError(f"{path}: {name}: no gate is called {unknown[0]!r}; there are {', '.join(GATES)}")
        if variant.prune is not None and not 0 < variant.prune < 1:
            raise ValueError(f"{path}: {name}: prune {variant.prune} is no share of the operations between 0 and 1")
        if variant.limits.sqnr_db is not None and not variant.quantized:
            raise ValueError(f"{path}: {name} has a limit of sqnr_db, but is not quantized")
