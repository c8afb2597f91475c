"""The plan of `pocketdepth ship`: variants of a checkpoint and their limits. No torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from deploy.devices.gates import GATES
from deploy.devices.targets import TARGETS, read_measured, read_targets
from deploy.quantization.quantizer import Scheme as QuantizedBy
from lightning_app.config import build, read_yaml
from lightning_app.experiments import use_yaml
from lightning_app.files import require_names
from lightning_app.image_files import LARGEST_SIDE
from lightning_app.protocol_names import require_protocol

REFERENCES = ("pydnet", "fastdepth", "resnet18")  # the names of deploy.benchmark.references.NETWORKS, which need torch


@dataclass(frozen=True)
class Limits:
    """Limits of a variant. All figures are measured, limited or not.

    Attributes:
        accuracy_loss: maximum relative increase of abs_rel over the first variant, e.g. 0.01 for 1 %.
        sqnr_db: minimum SQNR of depth against the float file that the variant was quantized from.
        size_mb: maximum file size in 10^6 bytes.
        latency_ms: maximum median latency on this machine.
        times_as_fast: minimum speedup over other variants or reference networks, by name.
        gates: names of checks of `pocketdepth targets` that must pass. A skipped check counts as not passed.
    """

    accuracy_loss: float | None = None
    sqnr_db: float | None = None
    size_mb: float | None = None
    latency_ms: float | None = None
    times_as_fast: dict[str, float] = field(default_factory=dict)
    gates: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.accuracy_loss is not None and not 0 <= self.accuracy_loss < math.inf:
            raise ValueError(
                f"accuracy_loss is {self.accuracy_loss}, expected a number of 0 or more, e.g. 0.01 for 1 %"
            )
        others = {"sqnr_db": self.sqnr_db, "size_mb": self.size_mb, "latency_ms": self.latency_ms}
        times = {f"times_as_fast: {name}": factor for name, factor in self.times_as_fast.items()}
        for name, limit in (others | times).items():
            if limit is not None and not 0 < limit < math.inf:
                raise ValueError(f"{name} is {limit}, expected a positive number")


@dataclass(frozen=True)
class Variant:
    """One file for phones and how it is built. The steps are: start, prune, fine-tune, export, quantize.

    Attributes:
        start: name of an earlier variant whose checkpoint this variant starts from; the checkpoint given on the command
            line if omitted.
        prune: fraction of the multiply-accumulates to keep, between 0 and 1; not pruned if omitted.
        fine_tune: arguments of `fit`, which override the YAMLs of the plan's ``data``, e.g.
            ``[-c, x.yaml, --trainer.max_steps, "300"]``; not fine-tuned if omitted.
        scheme: ``fp32``, ``fp16``, or a quantization scheme: ``static``, ``dynamic`` or ``a16w8``.
        limits: limits of the file.
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
    """Variants of a checkpoint and the data to measure them on.

    Attributes:
        variants: variants by name. The first is the baseline and must be fp32 or fp16.
        size: input (height, width) of all files.
        data: YAMLs of an experiment, whose data section is evaluated and which variants are fine-tuned on. Later files
            override earlier ones.
        images: folder of calibration images, relative to the data root; the training frames of the data section if
            omitted.
        split: ``val`` or ``test``: the split to evaluate.
        protocols: names of evaluation protocols. Limits apply to the first. The protocols of the data section if
            omitted.
        photographs: folder of images for the report and for SQNR, relative to the data root; ``images`` if omitted.
            One of ``images`` and ``photographs`` is required.
        references: published networks to time as well: ``resnet18``, ``pydnet``, ``fastdepth``, see
            :mod:`deploy.benchmark.references`. Each is timed in fp32 under its name and in int8 under
            ``NAME-int8``.
        devices: keys of deploy/devices/targets.yaml. The files are compared with the latency budgets of these devices.
        measured: JSON files of latencies measured on devices, see :mod:`deploy.devices.targets`.
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

    def __post_init__(self) -> None:
        if not all(1 <= side <= LARGEST_SIDE for side in self.size):
            raise ValueError(f"size is {list(self.size)}, expected [height, width] of 1 to {LARGEST_SIDE} pixels")

    @property
    def first(self) -> str:
        """The name of the baseline variant."""
        return next(iter(self.variants))

    @property
    def names(self) -> list[str]:
        """The names of all files that are timed."""
        return [*self.variants, *(name + suffix for name in self.references for suffix in ("", "-int8"))]


def read_plan(path: Path) -> Plan:
    """Read a plan from a YAML.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: an unknown or missing key, a value of the wrong type or out of range, a name of a variant that
            cannot name a file, or an unknown name of a variant, reference network or check.
    """
    content = read_yaml(path)
    keys = content.keys() if isinstance(content, dict) else set()
    if keys & {"model", "trainer"} or keys == {"variants"}:
        kind = "a table of variants" if "variants" in keys else "an experiment"
        raise ValueError(f"{path}: {kind}, not a plan; `pocketdepth experiments` lists ship.yaml, a plan to start from")
    variants = content.get("variants") if isinstance(content, dict) else None
    if not isinstance(variants, dict) or not variants:
        raise ValueError(f"{path}: no mapping `variants`; add at least one variant")
    require_names(variants, f"{path}: variant")
    for name, each in variants.items():
        if not isinstance(each, dict | None):
            raise ValueError(f"{path}: {name}: {each!r} is not a mapping of the keys of a variant")
    parsed = {name: build(Variant, [each or {}], f"{path}: {name}") for name, each in variants.items()}
    plan = replace(build(Plan, [content | {"variants": {}}], str(path)), variants=parsed)
    _check(plan, path)
    return plan


def open_plan(path: Path) -> Plan:
    """Read a plan, and check that the files, devices and protocols that it names exist.

    Raises:
        FileNotFoundError: the plan, a YAML, folder or measured file is missing.
        ValueError: like :func:`read_plan`; also an unknown device or protocol, or an invalid measured file.
    """
    plan = read_plan(path)
    for file in plan.data:
        use_yaml(Path(file))
    for folder in (plan.images, plan.photographs):
        if folder is not None:
            below_data_root(folder)
    try:
        for name in plan.protocols or ():
            require_protocol(name)
        known = list(read_targets(TARGETS))
        _refuse_unknown(plan.devices, known, "devices: unknown device")
        for file in plan.measured:
            _refuse_unknown([result.device for result in read_measured(Path(file))], known, f"{file}: unknown device")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return plan


def below_data_root(path: str) -> Path:
    """Resolve a folder relative to the data root, as the data modules do.

    Raises:
        FileNotFoundError: no such folder.
    """
    root = os.environ.get("POCKETDEPTH_DATA")
    found = Path(root or "data") / path
    if not found.exists():
        where = f"POCKETDEPTH_DATA is {root}" if root else "POCKETDEPTH_DATA is not set, so the data root is data/"
        raise FileNotFoundError(f"{found}: no such folder; {where}")
    return found


def _check(plan: Plan, path: Path) -> None:
    if plan.images is None and plan.photographs is None:
        raise ValueError(f"{path}: images (calibration) or photographs (report and SQNR) is required")
    _refuse_unknown(plan.references, REFERENCES, f"{path}: references: unknown network")
    twice = [name for name in plan.names if plan.names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: two files are called {twice[0]}; rename the variant, or name each reference once")
    if plan.variants[plan.first].quantized:
        raise ValueError(f"{path}: the first variant, {plan.first}, is the baseline and must be fp32 or fp16")
    for index, (name, variant) in enumerate(plan.variants.items()):
        _check_variant(variant, list(plan.variants)[:index], plan.names, f"{path}: {name}")


def _check_variant(variant: Variant, above: Sequence[str], names: Sequence[str], source: str) -> None:
    if variant.start is not None and variant.start not in above:
        raise ValueError(f"{source}: start is {variant.start!r}, expected the name of an earlier variant")
    if variant.prune is not None and not 0 < variant.prune < 1:
        raise ValueError(f"{source}: prune is {variant.prune}, expected a fraction between 0 and 1")
    _refuse_unknown(variant.limits.times_as_fast, names, f"{source}: times_as_fast: unknown name")
    _refuse_unknown(variant.limits.gates, GATES, f"{source}: gates: unknown check")
    if variant.limits.sqnr_db is not None and not variant.quantized:
        raise ValueError(f"{source}: sqnr_db limits quantized variants only, but its scheme is {variant.scheme}")


def _refuse_unknown(names: Iterable[str], known: Sequence[str], message: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{message} {name!r}; choose from {', '.join(known)}")
