"""``pocketdepth compare``: train and compare variants of an experiment over several seeds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.progress import Progress, TimeElapsedColumn, track
from torch import nn

from lightning_app.checkpoints import Checkpoint
from lightning_app.comparison.plots import draw_bars, draw_panels
from lightning_app.comparison.scorer import Scorer, Scores, mean_depth
from lightning_app.comparison.statistics import MEAN_DEPTH_BASELINE, Comparison, print_comparison
from lightning_app.comparison.variants import Variant, read_config, read_variants, write_variants
from lightning_app.config import read_data_module
from lightning_app.evaluation.evaluate import split_readers
from lightning_app.files import write_json
from lightning_app.one_writer import one_writer
from lightning_app.step_cache import StepCache, claim
from lightning_app.training.depth_module import DepthModule
from lightning_app.training.fit_process import (
    as_inputs,
    failure,
    is_trained,
    last_line,
    start_fit,
    stop_fit,
    try_fit,
)


class Run(NamedTuple):
    """Training run of a variant with one seed.

    Attributes:
        variant: YAML of the variant.
        seed: random seed, passed to ``fit`` as ``--seed_everything``.
        folder: folder of the run.
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
    only: Sequence[str] = (),
) -> None:
    """Train each variant with each seed, score the best checkpoints on each frame of a split, and plot the result.

    Finished runs and their scores are cached, interrupted runs are resumed. The result includes a constant mean-depth
    baseline: the mean depth map of the training frames.

    Args:
        variants: YAMLs of variants, or tables (:mod:`lightning_app.comparison.variants`); the first is the baseline.
        config: YAMLs below all variants; variants override them.
        arguments: further arguments of ``fit``, e.g. ``["--trainer.max_steps", "500"]``.
        seeds: number of seeds, starting at 0.
        split: ``val`` or ``test``.
        jobs: number of parallel runs.
        output: output folder. Runs are in ``<variant>/<seed>/``.
        overwrite: whether to replace the result of other variants or seeds; runs are kept.
        only: names of the variants to run, in this order; empty for all.

    Raises:
        FileNotFoundError: no such YAML or data.
        FileExistsError: ``output`` is a file, or contains the result of other variants or seeds.
        ValueError: fewer than two variants, a duplicate or unknown name, an unknown split, invalid arguments of
            ``fit``, or runs with other settings in ``output``.
        RuntimeError: a run failed, or another process is writing to ``output``.
    """
    chosen, below = read_variants(variants, only), read_config(config)
    if len(chosen) < 2:
        raise ValueError("name at least two variants: the first is the baseline")
    names = [variant.name for variant in chosen]
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    if output.is_file():
        raise FileExistsError(f"{output} is a file; --output is a folder")
    if not overwrite:
        _refuse_other_result(output / f"{split}.json", names, seeds)
    with one_writer(output):
        _compare(chosen, below, arguments, seeds, split, jobs, output)


def _compare(
    chosen: Sequence[Variant],
    below: Sequence[Variant],
    arguments: Sequence[str],
    seeds: int,
    split: str,
    jobs: int,
    output: Path,
) -> None:
    def write_runs(folder: Path) -> tuple[list[Run], list[Path]]:
        paths = write_variants(chosen, folder / "variants")
        runs = [Run(path, seed, output / path.stem / str(seed)) for seed in range(seeds) for path in paths]
        return runs, write_variants(below, folder / "config")

    if split == "test":  # training needs the validation split alone
        for variant in chosen:
            paths = [each.path for each in (*below, variant) if each.overrides is None]
            split_readers(read_data_module(paths), split)
    with TemporaryDirectory() as name:  # nothing is written to the output before it is claimed
        _claim(*write_runs(Path(name)), arguments, jobs)
    runs, config = write_runs(output)
    untrained = [run for run in runs if not is_trained(run.folder)]
    if len(untrained) < len(runs):
        print(f"{len(runs) - len(untrained)} of {len(runs)} runs are trained already: cached")
    if untrained:
        _train(untrained, config, arguments, jobs)
    steps = StepCache(output)
    scores = [(run.variant.stem, _cached_scores(steps, run, split)) for run in track(runs, f"score {split}")]
    baseline = _baseline(runs[0], split)
    result = Comparison.of([*scores, *((name, scorer.scores()) for name, scorer in baseline.items())])
    print_comparison(result, f"{output}, {split}: {len(result.frames)} frames, {seeds} seed{'s'[: seeds != 1]}")
    write_json(output / f"{split}.json", {"arguments": list(arguments), **result.summary()})
    draw_bars(result, output / f"{split}.png")
    scorers = {run.variant.stem: _open(run, split) for run in runs if run.seed == 0} | baseline
    pictures = {name: scorer.pictures() for name, scorer in scorers.items()}
    draw_panels(result, pictures, output / f"{split}-panels.png")
    print(f"{output / split}.json, {output / split}.png, {output / split}-panels.png")


def _refuse_other_result(path: Path, variants: Sequence[str], seeds: int) -> None:
    """Raise FileExistsError if a result of other variants or seeds would be replaced."""
    if not path.is_file():
        return
    try:
        found = json.loads(path.read_text())["results"]
        counts = {
            len(next(iter(found[name].values()))["abs_rel"]["seeds"]) for name in found if name != MEAN_DEPTH_BASELINE
        }
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise ValueError(f"{path}: damaged; give --overwrite or another --output") from error
    if [name for name in found if name != MEAN_DEPTH_BASELINE] != list(variants) or counts != {seeds}:
        raise FileExistsError(
            f"{path} compares {', '.join(found)} with {max(counts)} seeds; give --overwrite or another --output"
        )


def _claim(runs: Sequence[Run], config: Sequence[Path], arguments: Sequence[str], jobs: int) -> None:
    """Train one batch of each new variant, as a check, then claim the folders of all runs."""
    new = {run.variant: [*_yamls(run, config), *arguments] for run in runs if not run.folder.exists()}
    reasons: list[str] = []
    kind: type[Exception] = ValueError  # wrong use; a run that fails is RuntimeError
    with ThreadPoolExecutor(jobs) as pool, Progress(transient=True) as progress:
        tries = [(path, pool.submit(try_fit, each)) for path, each in new.items()]
        for path, tried in progress.track(tries, description="check variants"):
            error = tried.exception()
            reasons += [f"{path.stem}: {error}"] if error else []
            kind = RuntimeError if isinstance(error, RuntimeError) else kind
    if reasons:
        more = f" (and {len(reasons) - 1} more variants fail)" if reasons[1:] else ""
        raise kind(f"{reasons[0]}{more}; nothing was trained")
    for run in runs:
        claim(run.folder, {"YAMLs": [*config, run.variant], "arguments": as_inputs(arguments)})


def _yamls(run: Run, config: Sequence[Path]) -> list[str]:
    return [part for path in (*config, run.variant) for part in ("-c", str(path))]


def _train(runs: Sequence[Run], config: Sequence[Path], arguments: Sequence[str], jobs: int) -> None:
    """Train each run in a subprocess. If one fails, the others continue."""
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
        except (KeyboardInterrupt, SystemExit):
            progress.print("stopping; the same command resumes")
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
    """Train a run. Returns the reason if it failed, else an empty string."""
    running[run] = start_fit([*_yamls(run, config), *arguments, "--seed_everything", str(run.seed)], run.folder)
    status = running[run].wait()
    del running[run]
    return failure(run.folder, status)


def _state(running: dict[Run, subprocess.Popen[bytes]]) -> str:
    """The last line of output of each active run."""
    return "\n".join(f"{_name(run)}: {last_line(run.folder) or 'starts'}" for run in list(running))


def _name(run: Run) -> str:
    return f"{run.variant.stem}, seed {run.seed}"


def _open(run: Run, split: str) -> Scorer:
    checkpoint = Checkpoint.open(run.folder / "checkpoints" / "best.ckpt")
    module = DepthModule(checkpoint.network, nn.Identity(), canonical_focal_px=checkpoint.canonical_focal_px)
    data = read_data_module([run.folder / "config.yaml"])
    return Scorer(module.eval().predict, str(module.network.predicts), data, split)


def _cached_scores(steps: StepCache, run: Run, split: str) -> Scores:
    """Metrics of each frame, cached in the run's folder."""
    frames, best = run.folder / f"{split}-frames.json", run.folder / "checkpoints" / "best.ckpt"
    inputs = [best, run.folder / "config.yaml", split]
    steps.run(f"{_name(run)}: score {split}", inputs, frames, lambda: write_json(frames, _open(run, split).scores()))
    found: Scores = json.loads(frames.read_text())
    return found


def _baseline(run: Run, split: str) -> dict[str, Scorer]:
    """Scorer of the constant mean-depth baseline; empty if no training frame has ground truth."""
    data = read_data_module([run.folder / "config.yaml"])
    readers = [reader for reader in data.train if reader.truth != "none"]
    if not readers:
        return {}
    depth = mean_depth(readers, data.size)
    return {
        MEAN_DEPTH_BASELINE: Scorer(lambda batch: depth.expand(len(batch["image"]), -1, -1, -1), "depth", data, split)
    }
