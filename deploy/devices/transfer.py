"""A file's latency on a device, predicted from this host by networks that were timed on both. No torch.

file there = file here x reference there / reference here: of one precision (a device's fp16 against fp32 here), all
timed here in one interleaved run. Several references are averaged (geometric mean). How far such predictions are off is
what leaving each reference out shows: it is predicted from the others and compared with what was published.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from deploy.devices.targets import Device, Reference
from deploy.inference.load import load_network
from deploy.measure.macs import precision
from deploy.measure.timing import measure

# Those of deploy/benchmark/references.py, which imports torch.
BUILT = (
    "pydnet",
    "fastdepth",
    "resnet18",
    "resnet18_classifier",
    "resnet50_classifier",
    "mobilenet_v2_classifier",
)


class Pair(NamedTuple):
    """A reference on both: what was published, and its median here in milliseconds."""

    reference: Reference
    here_ms: float


class Host(NamedTuple):
    """What was timed here: medians in milliseconds of files and of references."""

    files: Mapping[Path, float]
    references: Mapping[Reference, float]


def file_precision(path: Path) -> str:
    """An ONNX file's precision; of any other file its runtime, as no reference runs in it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be opened.
    """
    network = load_network(path)
    return precision(onnx.load(path)) if path.suffix == ".onnx" else network.runtime


def time_here(asked: Iterable[tuple[Device, str, Path]], threads: int, runs: int) -> Host:
    """Time files of a known precision, and the references that predict them on their devices, in turn.

    Raises:
        ValueError: a size that a reference's stride does not divide.
        RuntimeError: as :func:`deploy.measure.timing.measure`.
    """
    fitting = {(device.key, kind, path): _fitting(device, kind) for device, kind, path in asked}
    paths = list(dict.fromkeys(path for (_, _, path), found in fitting.items() if found))
    references = list(dict.fromkeys(each for found in fitting.values() for each in found))
    if not paths:
        return Host({}, {})
    from deploy.benchmark.references import write_references  # imports torch

    with tempfile.TemporaryDirectory() as folder:
        built = {(each.network, each.size, _here(each.precision)): each for each in references}
        written = write_references(built, Path(folder))
        rows = measure([*paths, *written], threads, runs)
    times = dict(zip(built, (row.p50_ms for row in rows[len(paths) :]), strict=True))
    return Host(
        {path: row.p50_ms for path, row in zip(paths, rows, strict=False)},
        {each: times[each.network, each.size, _here(each.precision)] for each in references},
    )


def pairs_of(device: Device, kind: str, host: Host) -> list[Pair]:
    """The references that predict a file of this precision on a device."""
    return [Pair(each, host.references[each]) for each in _fitting(device, kind) if each in host.references]


def speed(pairs: Sequence[Pair]) -> float:
    """How long a device takes for what takes this host a unit of time."""
    return float(np.exp(np.mean([np.log(pair.reference.latency_ms / pair.here_ms) for pair in pairs])))


def leave_one_out(pairs: Sequence[Pair]) -> list[float]:
    """What each reference is predicted at from the others, over what was published; nothing for one alone."""
    others = [[*pairs[:place], *pairs[place + 1 :]] for place in range(len(pairs))]
    return [
        pair.here_ms * speed(rest) / pair.reference.latency_ms for pair, rest in zip(pairs, others, strict=True) if rest
    ]


def explain(here_ms: float, pairs: Sequence[Pair]) -> str:
    """From what a prediction comes, and how far such predictions were off."""
    timed = ", ".join(f"{each.network} {each.latency_ms:g} there and {here:.3g} here" for each, here in pairs)
    off = leave_one_out(pairs)
    if off:
        spread = f"each reference from the others: {min(off):.2f}x to {max(off):.2f}x of what was published"
    else:
        spread = "one reference, spread unknown"
    memory = "" if all(pair.reference.checked for pair in pairs) else "; published figures from memory: check them"
    return f"predicted from {here_ms:.3g} ms here, in ms: {timed}; {spread}{memory}"


def why_not(device: Device, kind: str) -> str:
    """Why there is no prediction for a file of this precision, or of this runtime."""
    if kind not in ("fp32", "int8"):
        return f"references are timed here in ONNX Runtime as fp32 or int8, not as {kind}"
    if all(_here(each.precision) != kind for each in device.references):
        return f"nothing was published about it in {kind}"
    return f"what was published about it in {kind} cannot be built here"


def _fitting(device: Device, kind: str) -> list[Reference]:
    return [each for each in device.references if each.network in BUILT and _here(each.precision) == kind]


def _here(published: str) -> str:
    """In what a device's precision is timed here: this host has no fp16 of its own."""
    return "int8" if published == "int8" else "fp32"
