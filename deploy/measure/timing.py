"""Latency of model files on this CPU in interleaved runs, with file size and MACs. Does not import torch."""

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
TOLERANCE = 1.1  # allowed multiple of the measured peak, because timings are noisy


@dataclass(frozen=True)
class Row:
    """Measurements of one file.

    Attributes:
        file: path, or the name of a reference network.
        runtime: name of the runtime.
        size: (height, width) of the input.
        precision: see :func:`network_precision`.
        size_mb: file size in 10^6 bytes.
        compressed_mb: file size after deflate compression, as in an app store, in 10^6 bytes.
        gmac: 10^9 multiply-accumulates of one run; None if they cannot be counted. Only ONNX files are supported.
        p50_ms: median latency.
        p90_ms: 90th percentile of the latency.
        p99_ms: 99th percentile of the latency.
        gmac_per_s: throughput at the median latency.
        peak_share: throughput relative to dense convolutions of the same precision on this CPU.
        speedup: median latency of the first file divided by that of this file.
        reference: whether this is a published network with random weights, of which only the latency is meaningful.
        load_ms: load time in a fresh process, see :class:`deploy.measure.fresh_process.Start`.
        first_ms: time of the first run in a fresh process.
        memory_mb: peak memory in a fresh process.
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
    """Time the files, interleaved with dense convolutions that measure the peak of the CPU.

    Args:
        models: model files.
        threads: number of threads of each session.
        runs: number of timed runs of each file.

    Returns:
        One row per file.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not supported.
        RuntimeError: the throughput of a file exceeds the measured peak of the CPU.
    """
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
                f"{path.name}: {row.gmac_per_s:.0f} GMAC/s is {share}; the runtime skipped operations, for example on "
                "weights that are zero, or the machine was too busy to reach its peak; increase --runs; no output is "
                "written"
            )
        rows.append(row)
    return rows


def conditions(threads: int, runs: int) -> str:
    """Describe the machine and the method of the measurement in one line."""
    host = f"{cpu_name()}, {threads} thread{'s'[: threads != 1]}, onnxruntime {onnxruntime.__version__}"
    return f"{host}; {runs} interleaved runs after {WARMUP} warm-up runs"


def cpu_name() -> str:
    """Name of the processor as reported by the operating system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")


def _content(path: Path) -> bytes:
    """Content of a file, including the external data files of an ONNX model."""
    beside: set[str] = set()
    if path.suffix == ".onnx":
        tensors = onnx.load(path, load_external_data=False).graph.initializer
        beside = {each.value for tensor in tensors for each in tensor.external_data if each.key == "location"}
    return b"".join(each.read_bytes() for each in (path, *(path.parent / name for name in sorted(beside))))


def _count(path: Path) -> int | None:
    try:
        return count_macs(onnx.load(path)) if path.suffix == ".onnx" else None
    except ValueError:  # third-party files with dynamic shapes or custom operators can still be timed
        return None


def network_precision(network: Network) -> str:
    """Precision as in :func:`deploy.measure.macs.precision`; ``-`` if it is unknown."""
    if network.path.suffix == ".onnx":
        return precision(onnx.load(network.path))
    if network.runtime == "torch":
        return "fp32"
    return "int8" if network.info.quantized else network.info.precision or "-"


def _peak_kind(precision: str) -> str:
    """Precision of the dense convolution to compare with. CPUs compute fp16 in fp32, and int16 is slower than int8."""
    return "fp32" if precision.startswith("fp") else "int8"


def _interleave(tasks: list[Callable[[], object]], runs: int) -> NDArray[np.float64]:
    """Time each task once per round. Returns seconds, (WARMUP + runs, tasks)."""
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
    session, feed = network.session, network.feed(image)  # convert camera frames to uint8 before timing
    return lambda: session.run(None, feed)
