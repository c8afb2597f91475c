"""``pocketdepth pareto``: what `pocketdepth compare` scored, beside what it costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.benchmark.network_cost import Cost, costs
from deploy.benchmark.pareto_front import on_front, write_names
from deploy.measure.timing import conditions
from lightning_app.checkpoints import Checkpoint
from lightning_app.comparison.statistics import MEAN_DEPTH_BASELINE
from lightning_app.files import atomic_write, refuse_existing

WIDTH = 120  # of the table, in characters


class Score(NamedTuple):
    """A network's error in one comparison.

    Attributes:
        abs_rel: the mean of each seed.
        delta1: the mean over seeds.
    """

    abs_rel: NDArray[np.float64]
    delta1: float


class Scored(NamedTuple):
    """One comparison.

    Attributes:
        title: its folder's name, split, protocol and frames.
        scores: by network.
        baseline: abs_rel of the constant mean-depth baseline; None where nothing was trained on depth.
    """

    title: str
    scores: dict[str, Score]
    baseline: float | None


def pareto(
    results: Sequence[Path],
    images: Path,
    split: str = "val",
    size: tuple[int, int] | None = None,
    threads: int = 1,
    runs: int = 50,
    output: Path = Path("runs/pareto"),
    overwrite: bool = False,
) -> None:
    """Measure the networks of comparisons, and draw error against latency: ``pareto.{txt,json,png}``.

    Args:
        results: the output folders of ``pocketdepth compare``; a network is known by its variant's name.
        images: folder to calibrate int8 on.
        split: ``val`` or ``test``, whose scores are taken, under the first protocol.
        size: (height, width) at which latency is measured; what the first network was trained at if left out.
        threads: of each session.
        runs: timed runs of each file, interleaved.
        output: folder.
        overwrite: replace outputs that exist.

    Raises:
        FileNotFoundError: no such result.
        FileExistsError: an output that exists.
        ValueError: a size that the stride of a network does not divide.
    """
    files = [output / f"pareto.{suffix}" for suffix in ("txt", "json", "png")]
    refuse_existing(*files, overwrite=overwrite)
    scored = [_read(result, split) for result in results]
    homes = {name: result for result, each in zip(results[::-1], scored[::-1], strict=True) for name in each.scores}
    names = list(dict.fromkeys(name for each in scored for name in each.scores))
    opened = [Checkpoint.open(homes[name] / name / "0" / "checkpoints" / "best.ckpt") for name in names]
    size = size or opened[0].size
    networks = {name: each.network for name, each in zip(names, opened, strict=True)}
    measured = costs(networks, size, images, threads, runs)
    caption = f"at {size[0]}x{size[1]}, {conditions(threads, runs)}"
    table = _table(measured, scored, caption)
    with atomic_write(files[0]) as temporary, temporary.open("w") as stream:
        Console(file=stream, width=WIDTH).print(table)
    with atomic_write(files[1]) as temporary:
        temporary.write_text(json.dumps(_summary(measured, scored, caption), indent=2) + "\n")
    _draw(measured, scored, caption, files[2])
    Console(width=max(Console().width, WIDTH)).print(table)  # wrapped figures can be read, figures cut off cannot
    print(f"{output}/pareto.txt, .json, .png")


def _read(result: Path, split: str) -> Scored:
    path = result / f"{split}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; run `pocketdepth compare ... --split {split} --output {result}`")
    found = json.loads(path.read_text())
    protocol = next(iter(next(iter(found["results"].values()))))
    scores = {
        name: Score(np.array(by[protocol]["abs_rel"]["seeds"]), by[protocol]["delta1"]["mean"])
        for name, by in found["results"].items()
        if name != MEAN_DEPTH_BASELINE
    }
    title = f"{result.name}, {split}, {protocol}, {len(found['frames'])} frames"
    baseline = found["results"].get(MEAN_DEPTH_BASELINE)
    return Scored(title, scores, baseline and baseline[protocol]["abs_rel"]["mean"])


def _summary(measured: dict[str, Cost], scored: Sequence[Scored], caption: str) -> dict[str, Any]:
    errors = {
        each.title: {
            name: {"abs_rel": score.abs_rel.tolist(), "delta1": score.delta1} for name, score in each.scores.items()
        }
        for each in scored
    }
    baseline = {each.title: each.baseline for each in scored}
    return {
        "how": caption,
        MEAN_DEPTH_BASELINE: baseline,
        "costs": {name: asdict(cost) for name, cost in measured.items()},
        "errors": errors,
    }


def _table(measured: dict[str, Cost], scored: Sequence[Scored], caption: str) -> Table:
    table = Table(caption=caption, caption_justify="left", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in ("M\nparams", "\nGMAC", "fp32\nms", "int8\nms", "int8\nMB"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in scored:
        table.add_column(f"{each.title}\nabs_rel".replace(", ", "\n"), justify="right", no_wrap=True)
        table.add_column("delta1", justify="right", no_wrap=True)
    for name, cost in measured.items():
        cells = [f"{cost.parameters / 1e6:.2f}", f"{cost.gmac:.2f}", f"{cost.fp32_ms:.2f}", f"{cost.int8_ms:.2f}"]
        cells.append(f"{cost.int8_mb:.2f}")
        for each in scored:
            score = each.scores.get(name)
            cells += ["-", "-"] if score is None else [_mean(score.abs_rel), f"{score.delta1:.3f}"]
        table.add_row(name, *cells)
    baseline = [cell for each in scored for cell in ("-" if each.baseline is None else f"{each.baseline:.3f}", "")]
    table.add_row(MEAN_DEPTH_BASELINE, *[""] * 5, *baseline, style="dim")
    return table


def _mean(seeds: NDArray[np.float64]) -> str:
    return f"{seeds.mean():.3f}" + (f" ± {seeds.std(ddof=1):.3f}" if len(seeds) > 1 else "")


def _draw(measured: dict[str, Cost], scored: Sequence[Scored], caption: str, path: Path) -> None:
    figure = Figure(figsize=(6.2 * len(scored), 4.8), layout="constrained")
    for place, each in enumerate(scored):
        axes = figure.add_subplot(1, len(scored), place + 1)
        names = list(each.scores)
        latencies = [measured[name].int8_ms for name in names]
        errors = [float(each.scores[name].abs_rel.mean()) for name in names]
        front = on_front(latencies, errors)
        best = sorted((x, y) for x, y, is_best in zip(latencies, errors, front, strict=True) if is_best)
        axes.step(*zip(*best, strict=True), where="post", color="#e08a2e", linewidth=1.2)
        for name, x, y, is_best in zip(names, latencies, errors, front, strict=True):
            colour = "#e08a2e" if is_best else "#3b6fb6"
            axes.vlines(x, each.scores[name].abs_rel.min(), each.scores[name].abs_rel.max(), color=colour, linewidth=1)
            axes.plot(x, y, "o", color=colour, ms=6)
        if each.baseline is not None:
            axes.axhline(each.baseline, color="#888888", linewidth=1, linestyle=":")
            axes.text(
                1,
                each.baseline,
                f"{MEAN_DEPTH_BASELINE}  ",
                transform=axes.get_yaxis_transform(),
                fontsize=8,
                ha="right",
                va="bottom",
            )
        axes.set_xlim(0.6 * min(latencies), 1.2 * max(latencies))
        write_names(axes, dict(zip(names, zip(latencies, errors, strict=True), strict=True)))
        axes.set_xlabel("int8 latency in ms")
        axes.set_title(f"{each.title}\nabs_rel, lower is better", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"{caption}\npoint: the mean, line: the seeds, orange: the Pareto front", fontsize=7, color="#555555"
    )
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)
