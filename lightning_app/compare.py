"""``pocketdepth compare``: variants of an experiment, several seeds each, scored frame by frame."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress, track

from lightning_app.comparison import Comparison, draw_bars, draw_panels, print_comparison
from lightning_app.depth_module import DepthModule
from lightning_app.evaluation import read_data_module
from lightning_app.files import written_whole
from lightning_app.frame_scores import Scorer, Scores, mean_depth

BLIND = "mean depth"


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

    A run that is finished is not trained again, one that was broken off is resumed. Beside the variants stands what
    looks at no image, the mean depth map of the training frames.

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
        ValueError: two variants of one name, a split that is not val or test, or runs in ``output`` of other settings.
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
    for run in runs:
        _claim(run, [*arguments, *(path.read_text() for path in (*config, run.variant))])
    _train([run for run in runs if not (run.folder / "fit.json").is_file()], config, arguments, jobs)
    scores = [(run.variant.stem, _score(run, split)) for run in track(runs, f"score {split}")]
    blind = _blind(runs[0], split)
    result = Comparison.of([*scores, (BLIND, blind.scores())])
    print_comparison(result, f"{output}, {split}: {len(result.frames)} frames, {seeds} seeds")
    with written_whole(output / f"{split}.json") as temporary:
        temporary.write_text(json.dumps({"arguments": list(arguments), **result.summary()}, indent=2) + "\n")
    draw_bars(result, output / f"{split}.png")
    scorers = {run.variant.stem: _open(run, split) for run in runs if run.seed == 0} | {BLIND: blind}
    draw_panels({name: scorer.pictures() for name, scorer in scorers.items()}, output / f"{split}-panels.png")
    print(f"{output / split}.json, {output / split}.png, {output / split}-panels.png")


def _claim(run: Run, settings: Sequence[str]) -> None:
    """Keep the arguments and YAMLs of a run, and refuse to take one of others for it."""
    path, text = run.folder / "settings.txt", "\n".join(settings)
    if not path.is_file():
        with written_whole(path) as temporary:
            temporary.write_text(text)
    elif path.read_text() != text:
        raise ValueError(f"{run.folder} was trained with other YAMLs or arguments: give another --output")


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
    log = run.folder / "fit.log"
    with log.open("w") as stream:
        command = [sys.executable, "-m", "lightning_app", "fit", *yamls, *arguments, *own, *resume]
        status = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False).returncode
    return log.read_text().strip().splitlines()[-1] if status else ""


def _open(run: Run, split: str) -> Scorer:
    module = DepthModule.load_from_checkpoint(
        run.folder / "checkpoints" / "best.ckpt", map_location="cpu", weights_only=True
    )
    data = read_data_module([run.folder / "config.yaml"])
    return Scorer(module.eval().predict, str(module.network.predicts), data, split)


def _score(run: Run, split: str) -> Scores:
    """The metrics of each frame; kept in the run's folder."""
    cache = run.folder / f"{split}-frames.json"
    if cache.is_file():
        found: Scores = json.loads(cache.read_text())
        return found
    scores = _open(run, split).scores()
    with written_whole(cache) as temporary:
        temporary.write_text(json.dumps(scores))
    return scores


def _blind(run: Run, split: str) -> Scorer:
    """What looks at no image: the mean depth map of a run's training frames. Who learned less is worse than it."""
    data = read_data_module([run.folder / "config.yaml"])
    depth = mean_depth(data.train, data.size)
    return Scorer(lambda batch: depth.expand(len(batch["image"]), -1, -1, -1), "depth", data, split)
