"""``pocketdepth compare``: variants of an experiment, several seeds each, scored frame by frame."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.progress import Progress, track

from lightning_app.comparison import Comparison, draw_bars, draw_panels, print_comparison
from lightning_app.depth_module import DepthModule
from lightning_app.evaluation import read_data_module, split_readers
from lightning_app.files import written_whole
from lightning_app.metrics import DepthMetrics
from lightning_app.protocols import fitting, views


class Run(NamedTuple):
    """A variant with a seed.

    Attributes:
        variant: its YAML.
        seed: of everything that is drawn.
        folder: of the run.
    """

    variant: Path
    seed: int
    folder: Path


def compare(
    variants: Sequence[Path],
    config: Sequence[Path],
    arguments: Sequence[str],
    seeds: int = 3,
    split: str = "val",
    jobs: int = 1,
    output: Path = Path("runs/compare"),
) -> None:
    """Train each variant with each seed, score the best checkpoints on each frame of a split, and draw the result.

    A run that is finished is not trained again, one that was broken off is resumed.

    Args:
        variants: a YAML each; the first is what the others are compared with.
        config: the YAMLs below all of them.
        arguments: further ones for each ``fit``, ``["--trainer.max_steps", "500"]``.
        seeds: how many, from 0.
        split: ``val`` (to choose on) or ``test`` (to report on).
        jobs: runs at the same time.
        output: folder of ``<variant>/<seed>/``, and of the table, JSON and pictures of a split.

    Raises:
        FileNotFoundError: no such YAML or data.
        ValueError: two variants of one name, or a split that is not val or test.
        RuntimeError: runs that failed.
    """
    names = [variant.stem for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two variants are called {twice[0]}: their runs would share a folder")
    for path in (*config, *variants):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such YAML")
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    runs = [Run(variant, seed, output / variant.stem / str(seed)) for seed in range(seeds) for variant in variants]
    _train([run for run in runs if not (run.folder / "fit.json").is_file()], config, arguments, jobs)
    scores = [_score(run, split) for run in track(runs, f"score {split}")]
    result = Comparison.of([(run.variant.stem, score) for run, score in zip(runs, scores, strict=True)])
    print_comparison(result, f"{output}, {split}: {len(result.frames)} frames, {seeds} seeds")
    with written_whole(output / f"{split}.json") as temporary:
        temporary.write_text(json.dumps({"arguments": list(arguments), **result.summary()}, indent=2) + "\n")
    draw_bars(result, output / f"{split}.png")
    first = {run.variant.stem: run for run in reversed(runs)}
    draw_panels({name: _predictions(run, split) for name, run in first.items()}, output / f"{split}-panels.png")
    print(f"{output / split}.json, {output / split}.png, {output / split}-panels.png")


def _train(runs: Sequence[Run], config: Sequence[Path], arguments: Sequence[str], jobs: int) -> None:
    """Train in processes of their own, so that one that fails leaves the others alone."""
    failed = []
    with Progress() as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("train", total=len(runs))
        for run, error in zip(runs, pool.map(lambda run: _fit(run, config, arguments), runs), strict=True):
            progress.update(task, advance=1)
            if error:
                failed.append(f"{run.variant.stem} with seed {run.seed}: {error}")
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed[:3])}")


def _fit(run: Run, config: Sequence[Path], arguments: Sequence[str]) -> str:
    """Train one; its output goes to ``fit.log`` in its folder. Returns the last line of that where it failed."""
    yamls = [part for path in (*config, run.variant) for part in ("-c", str(path))]
    own = ["--seed_everything", str(run.seed), "--trainer.default_root_dir", str(run.folder)]
    last = run.folder / "checkpoints" / "last.ckpt"
    resume = ["--ckpt_path", str(last)] if last.is_file() else []
    run.folder.mkdir(parents=True, exist_ok=True)
    log = run.folder / "fit.log"
    with log.open("w") as stream:
        command = [sys.executable, "-m", "lightning_app", "fit", *yamls, *arguments, *own, *resume]
        status = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False).returncode
    return log.read_text().strip().splitlines()[-1] if status else ""


def _open(run: Run, split: str) -> tuple[DepthModule, Any, Sequence[Any]]:
    """The best checkpoint of a run, its data module and the readers of a split."""
    data = read_data_module([run.folder / "config.yaml"])
    data.batch_size = 1
    path = run.folder / "checkpoints" / "best.ckpt"
    module = DepthModule.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    return module, data, split_readers(data, split)


def _score(run: Run, split: str) -> dict[str, dict[str, dict[str, float]]]:
    """The metrics of each frame by protocol, path and name; kept in the run's folder."""
    cache = run.folder / f"{split}-frames.json"
    if cache.is_file():
        found: dict[str, dict[str, dict[str, float]]] = json.loads(cache.read_text())
        return found
    module, data, readers = _open(run, split)
    predicts = str(module.network.predicts)
    protocols = fitting(data.protocols, readers, predicts)
    data.views = views(protocols)
    scores: dict[str, dict[str, dict[str, float]]] = {each.name: {} for each in protocols}
    metrics = [DepthMetrics(each, predicts) for each in protocols]
    for batch in data.evaluation_dataloader(readers):
        moved = data.on_after_batch_transfer(batch, 0)
        prediction = module.predict_metres(moved)
        for metric in metrics:
            metric.update(prediction, moved)
            values = {name: float(value) for name, value in metric.compute().items() if "/" not in name}
            metric.reset()
            if values["frames"]:
                scores[metric.protocol.name][moved["path"][0]] = values
    with written_whole(cache) as temporary:
        temporary.write_text(json.dumps(scores))
    return scores


def _predictions(run: Run, split: str, most: int = 6) -> list[tuple[Any, Any, Any]]:
    """Image, truth and prediction of frames that are spread over a split."""
    module, data, readers = _open(run, split)
    loader = data.evaluation_dataloader(readers)
    chosen = set(torch.linspace(0, len(loader) - 1, min(most, len(loader))).round().int().tolist())
    frames = []
    for index, batch in enumerate(loader):
        if index in chosen:
            moved = data.on_after_batch_transfer(batch, 0)
            frames.append((moved["image"][0], moved["depth"][0], module.predict_metres(moved)[0]))
    return frames
