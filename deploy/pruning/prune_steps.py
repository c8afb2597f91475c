"""``pocketdepth prune -c``: alternate pruning and fine-tuning in several steps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from deploy.pruning.prune import Pruning, prune, require_target
from deploy.pruning.pruned_checkpoint import try_fine_tuning
from lightning_app.checkpoints import Checkpoint
from lightning_app.experiments import use_yaml
from lightning_app.files import atomic_write, refuse_existing, write_json
from lightning_app.one_writer import one_writer
from lightning_app.step_cache import StepCache, claim
from lightning_app.training.fit_process import as_inputs, fit


def prune_in_steps(
    checkpoint: Path,
    config: Sequence[Path],
    arguments: Sequence[str] = (),
    output: Path | None = None,
    macs: float | None = None,
    latency: float | None = None,
    across_layers: bool = False,
    steps: int = 1,
    threads: int = 1,
    overwrite: bool = False,
) -> Pruning:
    """Prune in several steps and fine-tune after each. The result is ``best.ckpt`` of the last step.

    The steps are cached in a folder with the name of ``output`` without its suffix. Finished steps are skipped, and an
    interrupted run is resumed.

    Args:
        checkpoint: checkpoint of PocketDepth.
        config: YAMLs of the experiment for fine-tuning; later files override earlier ones.
        arguments: additional arguments of ``fit``, for example ``["--trainer.max_steps", "300"]``.
        output: fine-tuned checkpoint to write. Default: ``NAME-pruned.ckpt``.
        macs: target share of multiply-accumulates. Each step reduces them by the same factor.
        latency: target share of latency. Each step reduces it by the same factor.
        across_layers: see :func:`deploy.pruning.prune.prune`.
        steps: number of steps.
        threads: number of threads of each timed session.
        overwrite: replace an existing ``output``.

    Raises:
        FileNotFoundError: the checkpoint or a YAML is missing.
        FileExistsError: ``output`` exists, or the folder contains other files.
        ImportError: torch-pruning is not installed.
        ValueError: see :func:`deploy.pruning.prune.prune`. Also raised for arguments that ``fit`` does not accept, and
            for a folder with steps of another checkpoint or other settings.
        RuntimeError: fine-tuning failed, or another process is writing to the folder.
    """
    require_target(macs, latency)
    Checkpoint.open(checkpoint)  # raises for other files before the folder is created
    config = list(map(use_yaml, config))
    output = output or checkpoint.with_name(f"{checkpoint.stem}-pruned.ckpt")
    refuse_existing(output, overwrite=overwrite)
    yamls = [part for path in config for part in ("-c", str(path))]
    base = output.with_suffix("")
    if not base.exists():
        print("fine-tune: one batch, to check the experiment")
        try_fine_tuning(checkpoint, config, arguments)
    settings = {"checkpoint": checkpoint, "macs": macs, "latency": latency, "global": across_layers, "steps": steps}
    with one_writer(base):
        claim(base, {**settings, "YAMLs": list(config), "arguments": as_inputs(arguments)})
        cache, current = StepCache(base), checkpoint
        for step in range(1, steps + 1):
            folder, name = base / str(step), f"step {step} of {steps}"
            pruned, report, best = folder / "pruned.ckpt", folder / "pruned.json", folder / "run/checkpoints/best.ckpt"
            targets = [share and share ** (step / steps) for share in (macs, latency)]
            once = partial(_prune, current, pruned, report, targets, across_layers, threads, checkpoint)
            cache.run(f"{name}: prune", [current, checkpoint, targets, across_layers, threads], report, once)
            # --model.weights replaces the absolute path in the YAML, which is invalid if the folder was moved.
            run = [*yamls, "-c", str(pruned.with_suffix(".yaml")), "--model.weights", str(pruned), *arguments]
            cache.run(f"{name}: fine-tune", as_inputs(run), best, partial(fit, run, folder / "run"))
            current = best
        with atomic_write(output) as temporary:
            shutil.copy(current, temporary)
        print(f"{current} -> {output}")
    try:
        result = Pruning(**json.loads(report.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{report}: damaged; delete its folder and run the command again") from error
    return replace(result, checkpoint=str(output), yaml=str(pruned.with_suffix(".yaml")))


def _prune(
    checkpoint: Path,
    output: Path,
    report: Path,
    targets: Sequence[float | None],
    across_layers: bool,
    threads: int,
    unpruned: Path,
) -> None:
    """Prune once and write the result as JSON."""
    macs, latency = targets
    result = prune(checkpoint, output, macs, latency, across_layers, threads, overwrite=True, unpruned=unpruned)
    write_json(report, asdict(result))
