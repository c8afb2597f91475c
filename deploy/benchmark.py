"""ONNX files against each other on this CPU. No torch."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.macs import count_macs, is_int8
from deploy.peak import dense_convolution, peak_input
from deploy.runtime import OnnxNetwork
from lightning_app.files import refuse_existing, written_whole

WARMUP = 5
TOLERANCE = 1.1  # of the peak: the clock's and the machine's noise


@dataclass(frozen=True)
class Row:
    """One file's figures.

    Attributes:
        file: path.
        precision: ``fp32`` or ``int8``.
        size_mb: on disk, in 10^6 bytes.
        gmac: 10^9 multiply-accumulates of one run.
        p50_ms: median of the runs.
        p90_ms: nine of ten runs are at most as long.
        gmac_per_s: at the median.
        peak_share: of what this CPU reached with dense convolutions of the same precision.
        speedup: the first file's median over this one's.
    """

    file: str
    precision: str
    size_mb: float
    gmac: float
    p50_ms: float
    p90_ms: float
    gmac_per_s: float
    peak_share: float
    speedup: float


def benchmark(
    models: list[Path],
    threads: int = 1,
    runs: int = 50,
    output: Path = Path("runs/benchmark"),
    overwrite: bool = False,
) -> list[Row]:
    """Time files in turn, A B A B ..., after a warm-up, and write ``benchmark.{txt,json,png}``.

    Args:
        models: ONNX files; the first is the baseline.
        threads: of each session.
        runs: timed runs of each file.
        output: folder.
        overwrite: replace outputs that exist.

    Raises:
        FileNotFoundError: no such file.
        FileExistsError: an output that exists.
        ValueError: not an ONNX file of static size, or one file twice.
        RuntimeError: a result above the CPU's measured peak: the runtime left work out, or it was counted wrongly.
    """
    files = [output / f"benchmark.{suffix}" for suffix in ("txt", "json", "png")]
    refuse_existing(*files, overwrite=overwrite)
    if len(set(models)) < len(models):
        raise ValueError(f"{', '.join(map(str, models))}: one file is given twice")
    rows = measure(models, threads, runs)
    how = conditions(threads, runs)
    table = _table(rows, how)
    with written_whole(files[0]) as temporary, temporary.open("w") as stream:
        Console(file=stream, width=140).print(table)
    with written_whole(files[1]) as temporary:
        content = {"how": how, "threads": threads, "runs": runs, "rows": [asdict(row) for row in rows]}
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    _draw(rows, how, files[2])
    Console().print(table)
    print(f"table and picture: {output}/benchmark.txt, .json, .png")
    return rows


def measure(models: list[Path], threads: int, runs: int) -> list[Row]:
    """Time the files and the CPU's peaks, all in the same interleaved rounds."""
    networks = [OnnxNetwork(path, threads) for path in models]
    graphs = [onnx.load(path) for path in models]
    macs = [count_macs(graph) for graph in graphs]
    precisions = ["int8" if is_int8(graph) else "fp32" for graph in graphs]
    kinds = sorted(set(precisions))
    peaks = [dense_convolution(int8=kind == "int8") for kind in kinds]
    rounds = _interleave([*map(_network_task, networks), *(_peak_task(model, threads) for model in peaks)], runs)
    fastest, times = rounds.min(axis=0)[len(models) :], rounds[WARMUP:]
    peak = {kind: count_macs(model) / best for kind, model, best in zip(kinds, peaks, fastest, strict=True)}
    p50, p90 = (np.percentile(times, q, axis=0) for q in (50, 90))
    rows = [
        Row(
            file=str(path),
            precision=precision,
            size_mb=path.stat().st_size / 1e6,
            gmac=count / 1e9,
            p50_ms=float(p50[i] * 1e3),
            p90_ms=float(p90[i] * 1e3),
            gmac_per_s=float(count / p50[i] / 1e9),
            peak_share=float(count / p50[i] / peak[precision]),
            speedup=float(p50[0] / p50[i]),
        )
        for i, (path, count, precision) in enumerate(zip(models, macs, precisions, strict=True))
    ]
    impossible = [row for row in rows if row.peak_share > TOLERANCE]
    if impossible:
        row = impossible[0]
        name, share = Path(row.file).name, f"{row.peak_share:.1f} times this CPU's measured peak"
        raise RuntimeError(
            f"{name}: {row.gmac_per_s:.0f} GMAC/s is {share}; the runtime must have left work out (a network whose "
            "branches are zero?), or the machine was too busy to reach its peak (more --runs help); nothing is written"
        )
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


def _interleave(tasks: list[Callable[[], object]], runs: int) -> NDArray[np.float64]:
    """Seconds of each task in each round, (WARMUP + runs, tasks)."""
    times = np.zeros((WARMUP + runs, len(tasks)))
    for run in track(range(len(times)), "benchmark"):
        for index, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            times[run, index] = time.perf_counter() - start
    return times


def _network_task(network: OnnxNetwork) -> Callable[[], object]:
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    return lambda: network(image)


def _peak_task(model: onnx.ModelProto, threads: int) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"image": peak_input()}
    return lambda: session.run(None, feed)


def _table(rows: list[Row], how: str) -> Table:
    table = Table(caption=how, caption_justify="left", box=SIMPLE_HEAD)
    table.add_column("file", overflow="fold")
    for name in ("MB", "GMAC", "p50 ms", "p90 ms", "speed-up", "of peak"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        figures = (f"{row.size_mb:.2f}", f"{row.gmac:.2f}", f"{row.p50_ms:.2f}", f"{row.p90_ms:.2f}")
        table.add_row(_short(row.file, rows), *figures, f"{row.speedup:.2f}x", f"{row.peak_share:.0%} {row.precision}")
    return table


def _short(file: str, rows: list[Row]) -> str:
    """The file's name, or its whole path where two files have the same name."""
    names = [Path(row.file).name for row in rows]
    return Path(file).name if names.count(Path(file).name) == 1 else file


def _draw(rows: list[Row], how: str, path: Path) -> None:
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(9, 1.4 + 0.55 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    colours = ["#3b6fb6" if row.precision == "fp32" else "#e08a2e" for row in rows]
    names = [_short(row.file, rows) for row in rows]
    axes.barh(names, [row.p50_ms for row in rows], color=colours, height=0.6)
    axes.hlines(names, [row.p50_ms for row in rows], [row.p90_ms for row in rows], color="#333333", linewidth=1.5)
    for index, row in enumerate(rows):
        label = f"  {row.p50_ms:.1f} ms   {row.size_mb:.1f} MB   {row.gmac:.2f} GMAC"
        axes.text(max(row.p50_ms, row.p90_ms), index, label, va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.55 * max(row.p90_ms for row in rows))
    axes.set_xlabel("latency in ms: bar to the median, line to the 90th percentile (blue fp32, orange int8)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(how, fontsize=8, loc="left", color="#555555")
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=130)
