"""``pocketdepth compare``: variants of an experiment, several seeds each, scored frame by frame."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress, TimeElapsedColumn, track

from lightning_app.comparison.frame_scores import Scorer, Scores, mean_depth
from lightning_app.comparison.plots import draw_bars, draw_panels
from lightning_app.comparison.statistics import MEAN_DEPTH_BASELINE, Comparison, print_comparison
from lightning_app.config import read_data_module
from lightning_app.experiments import use_yaml
from lightning_app.files import atomic_write
from lightning_app.training.depth_module import DepthModule
from lightning_app.training.fit_process import last_line, start_fit, stop_fit


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
    overwrite: bool = False,
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
        overwrite: replace the table, JSON and pictures of other variants or seeds; runs are kept.

    Raises:
        FileNotFoundError: no such YAML or data.
        FileExistsError: ``output`` is a file, or holds the result of other variants or seeds.
        ValueError: less than two variants, or two of one name, a split that is not val or test, or runs in ``output``
            of other settings.
        RuntimeError: runs that failed.
    """
    if len(variants) < 2:
        raise ValueError("name at least two variants: the first is what the others are compared with")
    names = [variant.stem for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two variants are called {twice[0]}: their runs would share a folder")
    config, variants = list(map(use_yaml, config)), list(map(use_yaml, variants))
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    if output.is_file():
        raise FileExistsError(f"{output} is a file; --output is a folder")
    if not overwrite:
        _refuse_other_result(output / f"{split}.json", names, seeds)
    runs = [Run(variant, seed, output / variant.stem / str(seed)) for seed in range(seeds) for variant in variants]
    for run in runs:
        _claim(run, [*arguments, *(path.read_text() for path in (*config, run.variant))])
    untrained = [run for run in runs if not (run.folder / "fit.json").is_file()]
    if len(untrained) < len(runs):
        print(f"{len(runs) - len(untrained)} of {len(runs)} runs are finished already")
    if untrained:
        _train(untrained, config, arguments, jobs)
    scores = [(run.variant.stem, _score(run, split)) for run in track(runs, f"score {split}")]
    blind = _blind(runs[0], split)
    result = Comparison.of([*scores, *((name, scorer.scores()) for name, scorer in blind.items())])
    print_comparison(result, f"{output}, {split}: {len(result.frames)} frames, {seeds} seed{'s'[: seeds != 1]}")
    with atomic_write(output / f"{split}.json") as temporary:
        temporary.write_text(json.dumps({"arguments": list(arguments), **result.summary()}, indent=2) + "\n")
    draw_bars(result, output / f"{split}.png")
    scorers = {run.variant.stem: _open(run, split) for run in runs if run.seed == 0} | blind
    pictures = {name: scorer.pictures() for name, scorer in scorers.items()}
    draw_panels(result, pictures, output / f"{split}-panels.png")
    print(f"{output / split}.json, {output / split}.png, {output / split}-panels.png")


def _refuse_other_result(path: Path, variants: Sequence[str], seeds: int) -> None:
    """Raise FileExistsError where the result of other variants or seeds would be replaced."""
    if not path.is_file():
        return
    found = json.loads(path.read_text())["results"]
    counts = {
        len(next(iter(found[name].values()))["abs_rel"]["seeds"]) for name in found if name != MEAN_DEPTH_BASELINE
    }
    if [name for name in found if name != MEAN_DEPTH_BASELINE] != list(variants) or counts != {seeds}:
        raise FileExistsError(
            f"{path} compares {', '.join(found)} with {max(counts)} seeds; give --overwrite or another --output"
        )


def _claim(run: Run, settings: Sequence[str]) -> None:
    """Keep the arguments and YAMLs of a run, and refuse to take one of others for it."""
    path, text = run.folder / "settings.txt", "\n".join(settings)
    if not path.is_file():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    elif path.read_text() != text:
        raise ValueError(f"{run.folder} was trained with other YAMLs or arguments: give another --output")


def _train(runs: Sequence[Run], config: Sequence[Path], arguments: Sequence[str], jobs: int) -> None:
    """Train in processes of their own, so that one that fails leaves the others alone."""
    failed: list[str] = []
    running: dict[Run, subprocess.Popen[bytes]] = {}
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn()) as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("train", total=len(runs))
        waiting = {pool.submit(_fit, run, config, arguments, running): run for run in runs}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    run, error = waiting.pop(future), future.result()
                    progress.print(f"{_name(run)}: {error or 'trained'}")
                    failed += [f"{_name(run)}: {error}"] if error else []
                progress.update(task, advance=len(done), description=_state(running) or "train")
        except KeyboardInterrupt:
            progress.print("stopping; the same command goes on from here")
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running.values()):
                stop_fit(process)
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed[:3])}")


def _fit(
    run: Run, config: Sequence[Path], arguments: Sequence[str], running: dict[Run, subprocess.Popen[bytes]]
) -> str:
    """Train one. Returns the last line that it wrote where it failed."""
    yamls = [part for path in (*config, run.variant) for part in ("-c", str(path))]
    running[run] = start_fit([*yamls, *arguments, "--seed_everything", str(run.seed)], run.folder)
    status = running[run].wait()
    del running[run]
    return last_line(run.folder) if status else ""


def _state(running: dict[Run, subprocess.Popen[bytes]]) -> str:
    """What the runs say that are trained now."""
    return "\n".join(f"{_name(run)}: {last_line(run.folder) or 'starts'}" for run in list(running))


def _name(run: Run) -> str:
    return f"{run.variant.stem}, seed {run.seed}"


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
    with atomic_write(cache) as temporary:
        temporary.write_text(json.dumps(scores))
    return scores


def _blind(run: Run, split: str) -> dict[str, Scorer]:
    """What looks at no image: the mean depth map of a run's training frames. Who learned less is worse than it. Nothing
    where they have no depth, but a teacher's labels.
    """
    data = read_data_module([run.folder / "config.yaml"])
    readers = [reader for reader in data.train if reader.truth != "none"]
    if not readers:
        return {}
    depth = mean_depth(readers, data.size)
    return {
        MEAN_DEPTH_BASELINE: Scorer(lambda batch: depth.expand(len(batch["image"]), -1, -1, -1), "depth", data, split)
    }
