"""``pocketdepth pareto``: error of compared networks against their latency."""

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

WIDTH = 120  # width of the table, in characters


class Score(NamedTuple):
    """The scores of one network in one comparison.

    Attributes:
        abs_rel: mean over frames for each seed, (seeds,).
        delta1: mean over frames and seeds.
    """

    abs_rel: NDArray[np.float64]
    delta1: float


class Scored(NamedTuple):
    """The scores of one comparison.

    Attributes:
        title: folder name, split, protocol and number of frames.
        scores: scores by network.
        baseline: abs_rel of the constant mean-depth baseline; None if the comparison has none, because no network was
            trained on depth.
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
    """Measure the networks of comparisons, and plot error against latency: ``pareto.{txt,json,png}``.

    Args:
        results: output folders of ``pocketdepth compare``. Variants of the same name are the same network; its
            checkpoint comes from the first folder that contains it.
        images: folder of int8 calibration images.
        split: ``val`` or ``test``: the split whose scores are shown, under the first protocol.
        size: input (height, width) for latency; the training size of the first network if None.
        threads: number of threads per session.
        runs: number of timed runs per file, interleaved.
        output: output folder.
        overwrite: replace existing outputs.

    Raises:
        FileNotFoundError: no such result, or no calibration image.
        FileExistsError: an output exists.
        ValueError: a size that is not a multiple of a network's stride.
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
    Console(width=max(Console().width, WIDTH)).print(table)  # a narrower table would cut off figures
    print(f"table and plot: {output}/pareto.txt, .json, .png")


def _read(result: Path, split: str) -> Scored:
    path = result / f"{split}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing; run `pocketdepth compare ... --split {split} --output {result}`")
    try:
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
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(f"{path}: damaged; run the same `pocketdepth compare` again with --overwrite") from error


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
    table.add_column("network", no_wrap=True)
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
        axes.set_xlabel("int8 latency (ms)")
        axes.set_title(f"{each.title}\nabs_rel, lower is better", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"{caption}\npoint: mean over seeds, line: range over seeds, orange: Pareto front", fontsize=7, color="#555555"
    )
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)
