"""What `pocketdepth ship` is to make of a checkpoint: variants, and the limits that they must keep."""

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
    """What a variant must keep; what is left out is measured all the same.

    Attributes:
        accuracy_loss: by how much its abs_rel may exceed the first variant's, as a share of that: 0.01 is one percent.
        sqnr_db: signal to quantization noise of its depth, at least; against the float file it was quantized from.
        size_mb: of the file, at most, in 10^6 bytes.
        latency_ms: the median on this machine, at most.
        times_as_fast: at least how many times as fast as other variants or references, by name.
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
    """One file for a phone, and how it comes about: start, prune, fine-tune, export, quantize.

    Attributes:
        start: a variant above, whose checkpoint this one starts from; the given checkpoint if left out.
        prune: the share of multiply-accumulates that stays.
        fine_tune: arguments of `fit` on top of the checkpoint's own YAML: ``[-c, x.yaml, --trainer.max_steps, "300"]``.
        scheme: of the file: ``fp32``, ``fp16``, or how it is quantized.
        limits: that it must keep.
    """

    start: str | None = None
    prune: float | None = None
    fine_tune: list[str] = field(default_factory=list)
    scheme: Literal["fp32", "fp16", "static", "dynamic", "a16w8"] = "fp32"
    limits: Limits = field(default_factory=Limits)

    @property
    def precision(self) -> Literal["fp32", "fp16"]:
        """Of the file that is exported."""
        return "fp16" if self.scheme == "fp16" else "fp32"

    @property
    def quantized(self) -> QuantizedBy | None:
        """How the file is quantized after that, if it is."""
        return None if self.scheme == "fp32" or self.scheme == "fp16" else self.scheme


@dataclass(frozen=True)
class Plan:
    """A whole pipeline.

    Attributes:
        variants: by name; the first is a float file, which the others are compared with.
        size: (height, width) of all files.
        data: YAMLs whose data section is scored, the later wins.
        images: folder to calibrate on, below the data root; the data section's training frames if left out.
        split: ``val`` or ``test``.
        protocols: names, the first decides; the data section's if left out.
        photographs: folder, below the data root, of what is shown in the report and what the noise of quantization is
            measured on; ``images`` if left out.
        references: networks to stand beside, of :data:`deploy.benchmark.references.NETWORKS`: ``resnet18``, ``pydnet``,
            ``fastdepth``; in int8 their names end in ``-int8``.
        devices: keys of deploy/devices/targets.yaml, to say what is known of the files there.
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
        """The name of the variant that the others are compared with."""
        return next(iter(self.variants))

    @property
    def names(self) -> list[str]:
        """Of all files that are timed."""
        return [*self.variants, *(name + suffix for name in self.references for suffix in ("", "-int8"))]


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: a key that is unknown or missing, a value of another kind, or a name that no variant has.
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
