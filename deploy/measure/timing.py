"""Latency of files on this CPU, interleaved, beside their size and operations. No torch."""

from __future__ import annotations

import platform
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from rich.progress import track

from deploy.inference.load import load_network
from deploy.inference.network import Network
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.macs import count_macs, precision
from deploy.measure.peak import dense_convolution, fastest_of_many, peak_task

WARMUP = 5
TOLERANCE = 1.1  # of the peak: the clock's and the machine's noise


@dataclass(frozen=True)
class Row:
    """One file's figures.

    Attributes:
        file: path, or the name of a reference network.
        runtime: what ran it.
        size: (height, width) of its input.
        precision: as :func:`deploy.measure.macs.precision` has it; ``-`` where the file does not say.
        size_mb: on disk, in 10^6 bytes.
        compressed_mb: the same as an app store compresses it (deflate).
        gmac: 10^9 multiply-accumulates of one run; None where they cannot be counted, as in any file but ONNX.
        p50_ms: median of the runs.
        p90_ms: nine of ten runs are at most as long.
        p99_ms: 99 of 100 runs are at most as long.
        gmac_per_s: at the median.
        peak_share: of what this CPU reached with dense convolutions of the same precision.
        speedup: the first file's median over this one's.
        reference: whether it is a published network with random weights, whose latency alone means something.
        load_ms: see :class:`deploy.measure.fresh_process.Start`, as for the next two.
        first_ms: the first run in a fresh process.
        memory_mb: the peak in a fresh process.
    """

    file: str
    runtime: str
    size: tuple[int, int]
    precision: str
    size_mb: float
    compressed_mb: float
    gmac: float | None
    p50_ms: float
    p90_ms: float
    p99_ms: float
    gmac_per_s: float | None
    peak_share: float | None
    speedup: float
    reference: bool = False
    load_ms: float | None = None
    first_ms: float | None = None
    memory_mb: float | None = None


def measure(models: Sequence[Path], threads: int, runs: int) -> list[Row]:
    """Time the files and the CPU's peaks, all in the same interleaved rounds."""
    networks = [load_network(path, threads) for path in models]
    macs = [_count(path) for path in models]
    precisions = [network_precision(network) for network in networks]
    kinds = sorted({_peak_kind(each) for each, count in zip(precisions, macs, strict=True) if count is not None})
    peaks = [dense_convolution(int8=kind == "int8") for kind in kinds]
    peak_tasks = [peak_task(model, threads) for model in peaks]
    rounds = _interleave([*map(_network_task, networks), *peak_tasks], runs)
    fastest, times = rounds.min(axis=0)[len(models) :], rounds[WARMUP:]
    p50, p90, p99 = (np.percentile(times, q, axis=0) for q in (50, 90, 99))
    peak = {}
    for kind, model, task, best in zip(kinds, peaks, peak_tasks, fastest, strict=True):
        own = [n / t for n, t, each in zip(macs, p50, precisions, strict=False) if n and _peak_kind(each) == kind]
        enough = count_macs(model) * TOLERANCE / max(own)
        if best > enough:
            best = min(best, fastest_of_many(task, threads, enough))
        peak[kind] = count_macs(model) / best
    rows = []
    for i, (path, network, count, kind) in enumerate(zip(models, networks, macs, precisions, strict=True)):
        content = _content(path)
        row = Row(
            file=str(path),
            runtime=network.runtime,
            size=network.size,
            precision=kind,
            size_mb=len(content) / 1e6,
            compressed_mb=len(zlib.compress(content)) / 1e6,
            gmac=None if count is None else count / 1e9,
            p50_ms=float(p50[i] * 1e3),
            p90_ms=float(p90[i] * 1e3),
            p99_ms=float(p99[i] * 1e3),
            gmac_per_s=None if count is None else float(count / p50[i] / 1e9),
            peak_share=None if count is None else float(count / p50[i] / peak[_peak_kind(kind)]),
            speedup=float(p50[0] / p50[i]),
        )
        if row.peak_share is not None and row.peak_share > TOLERANCE:
            share = f"{row.peak_share:.1f} times this CPU's measured peak"
            raise RuntimeError(
                f"{path.name}: {row.gmac_per_s:.0f} GMAC/s is {share}; the runtime must have left work out (a network "
                "whose branches are zero?), or the machine was too busy to reach its peak (more --runs help); "
                "nothing is written"
            )
        rows.append(row)
    return rows


def conditions(threads: int, runs: int) -> str:
    """What was measured on, and how, in a line."""
    host = f"{cpu_name()}, {threads} thread{'s'[: threads != 1]}, onnxruntime {onnxruntime.__version__}"
    return f"{host}; {runs} interleaved runs after {WARMUP} warm-up runs"


def cpu_name() -> str:
    """The processor's name, as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")


def _content(path: Path) -> bytes:
    """A file, and those beside it that an ONNX file keeps its weights in."""
    beside: set[str] = set()
    if path.suffix == ".onnx":
        tensors = onnx.load(path, load_external_data=False).graph.initializer
        beside = {each.value for tensor in tensors for each in tensor.external_data if each.key == "location"}
    return b"".join(each.read_bytes() for each in (path, *(path.parent / name for name in sorted(beside))))


def _count(path: Path) -> int | None:
    try:
        return count_macs(onnx.load(path)) if path.suffix == ".onnx" else None
    except ValueError:  # another's file, of shapes or operators that cannot be counted, can still be timed
        return None


def network_precision(network: Network) -> str:
    """As :func:`deploy.measure.macs.precision` has it; ``-`` where the file does not say."""
    if network.path.suffix == ".onnx":
        return precision(onnx.load(network.path))
    if network.runtime == "torch":
        return "fp32"
    return "int8" if network.info.quantized else network.info.precision or "-"


def _peak_kind(precision: str) -> str:
    """Of which dense convolution the peak is taken: this CPU has no fp16 of its own, and 16-bit integers are slower."""
    return "fp32" if precision.startswith("fp") else "int8"


def _interleave(tasks: list[Callable[[], object]], runs: int) -> NDArray[np.float64]:
    """Seconds of each task in each round, (WARMUP + runs, tasks)."""
    times = np.zeros((WARMUP + runs, len(tasks)))
    for run in track(range(len(times)), "benchmark"):
        for index, task in enumerate(tasks):
            begin = time.perf_counter()
            task()
            times[run, index] = time.perf_counter() - begin
    return times


def _network_task(network: Network) -> Callable[[], object]:
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    if not isinstance(network, OnnxNetwork):
        return lambda: network(image)
    session, feed = network.session, network.feed(image)  # a camera's frame comes as bytes
    return lambda: session.run(None, feed)
