"""``pocketdepth benchmark``: latency, size and memory of files on this CPU. No torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

from deploy.benchmark.report import benchmark_table, draw_benchmark
from deploy.inference.load import load_network
from deploy.measure.fresh_process import start
from deploy.measure.timing import WARMUP, Row, conditions, measure, network_precision
from lightning_app.files import atomic_write, refuse_existing

WIDTH, NARROWEST = 140, 80  # width of the table in the file, and its minimum on a terminal, in characters


def benchmark(
    models: Sequence[Path],
    references: Sequence[str] = (),
    threads: int = 1,
    runs: int = 50,
    output: Path = Path("runs/benchmark"),
    overwrite: bool = False,
) -> list[Row]:
    """Time files in interleaved runs (A B A B ...) after a warm-up, and write ``benchmark.{txt,json,png}``.

    Args:
        models: files that :func:`deploy.inference.load.load_network` opens. The first is the baseline.
        references: names of published networks to time as well, see :mod:`deploy.benchmark.references`. Each is timed
            at the input size of the first file, in fp32 if any file is float and in int8 if any file is int8.
        threads: number of threads per session.
        runs: number of timed runs per file.
        output: output folder.
        overwrite: replace existing outputs.

    Returns:
        A row per file, then a row per reference and precision.

    Raises:
        FileNotFoundError: no such file.
        FileExistsError: an output exists.
        ValueError: a file without a static input size, a file given twice, an unknown reference, or a size that is not
            a multiple of a reference's stride.
        RuntimeError: a throughput above the measured peak of the CPU: the runtime skipped operations, or they were
            counted wrongly.
    """
    files = [output / f"benchmark.{suffix}" for suffix in ("txt", "json", "png")]
    refuse_existing(*files, overwrite=overwrite)
    if len(set(models)) < len(models):
        raise ValueError(f"{', '.join(map(str, models))}: a file is given twice")
    with ExitStack() as stack:
        paths, names = list(models), list(map(str, models))
        if references:
            from deploy.benchmark.references import write_references  # imports torch

            networks = [load_network(path, threads) for path in models]
            wanted = dict.fromkeys("int8" if "int8" in network_precision(each) else "fp32" for each in networks)
            asked = [(name, networks[0].size, each) for name in references for each in wanted]
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            paths += write_references(asked, folder)
            names += [name for name, _, _ in asked]
        measured = measure(paths, threads, runs)
        starts = [start(path, threads) for path in track(paths, "fresh processes")]
    rows = [
        replace(row, file=name, reference=index >= len(models), **asdict(first))
        for index, (row, name, first) in enumerate(zip(measured, names, starts, strict=True))
    ]
    how = conditions(threads, runs)
    table = benchmark_table(rows, how)
    with atomic_write(files[0]) as temporary, temporary.open("w") as stream:
        Console(file=stream, width=WIDTH).print(table)
    with atomic_write(files[1]) as temporary:
        settings = {"how": how, "threads": threads, "warmup": WARMUP, "runs": runs}
        content = settings | {"rows": [asdict(row) for row in rows]}
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    draw_benchmark(rows, how, files[2])
    Console(width=max(Console().width, NARROWEST)).print(table)
    print(f"table and plot: {output}/benchmark.txt, .json, .png")
    return rows
