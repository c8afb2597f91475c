"""``pocketdepth prune -c``: prune a part, fine-tune, prune more, fine-tune, ..."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from deploy.pruning.prune import Pruning, prune, require_target
from lightning_app.checkpoints import read_checkpoint
from lightning_app.experiments import use_yaml
from lightning_app.files import atomic_write, refuse_existing
from lightning_app.training.fit_process import fit


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
    """Prune to ever smaller shares, and after each fine-tune on an experiment; the last run's ``best.ckpt`` is the
    result.

    The steps are kept in the folder beside ``output`` that has its name: a step that is finished is not done again, one
    that was broken off goes on.

    Args:
        checkpoint: of PocketDepth.
        config: the experiment's YAMLs, the later wins.
        arguments: further ones of ``fit``, ``["--trainer.max_steps", "300"]``.
        output: the fine-tuned checkpoint; ``NAME-pruned.ckpt`` if left out.
        macs: share of the multiply-accumulates to reach; each step goes the same factor towards it.
        latency: share of the latency to reach, likewise.
        across_layers: see :func:`deploy.pruning.prune.prune`, as for ``threads``.
        steps: how many.
        overwrite: replace an ``output`` that exists.

    Raises:
        FileNotFoundError: no such checkpoint or YAML.
        FileExistsError: ``output`` exists.
        ImportError: torch-pruning is not installed.
        ValueError: see :func:`deploy.pruning.prune.prune`; arguments that ``fit`` does not know, or steps of other
            settings.
        RuntimeError: fine-tuning failed.
    """
    require_target(macs, latency)
    read_checkpoint(checkpoint)
    config = list(map(use_yaml, config))
    output = output or checkpoint.with_name(f"{checkpoint.stem}-pruned.ckpt")
    refuse_existing(output, overwrite=overwrite)
    yamls = [part for path in config for part in ("-c", str(path))]
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    settings = [sha256, str((macs, latency, across_layers, steps)), *arguments, *(path.read_text() for path in config)]
    _claim(output.with_suffix(""), "\n".join(settings), [*yamls, *arguments])
    current = checkpoint
    for step in range(1, steps + 1):
        folder = output.with_suffix("") / str(step)
        print(f"step {step} of {steps}: {folder}")
        macs_now, latency_now = (share and share ** (step / steps) for share in (macs, latency))
        result = _once(
            folder / "pruned.json",
            partial(
                prune,
                current,
                folder / "pruned.ckpt",
                macs_now,
                latency_now,
                across_layers,
                threads,
                overwrite=True,
                unpruned=checkpoint,
            ),
        )
        current = fit([*yamls, "-c", result.yaml, *arguments], folder / "run")
    with atomic_write(output) as temporary:
        shutil.copy(current, temporary)
    print(f"{current} -> {output}")
    return replace(result, checkpoint=str(output))


def _claim(folder: Path, settings: str, arguments: Sequence[str]) -> None:
    """Keep the settings of steps, once ``fit`` has understood them, and refuse to take steps of others for these."""
    path = folder / "settings.txt"
    if path.is_file():
        if path.read_text() != settings:
            raise ValueError(f"{folder} holds steps of another checkpoint or settings: give another --output")
        return
    command = [sys.executable, "-m", "lightning_app", "fit", *arguments, "--print_config"]
    parsed = subprocess.run(command, capture_output=True, text=True)
    if parsed.returncode:
        raise ValueError(parsed.stderr.strip().splitlines()[-1].removeprefix("pocketdepth: error: "))
    with atomic_write(path) as temporary:
        temporary.write_text(settings)


def _once(path: Path, task: Callable[[], Pruning]) -> Pruning:
    """Prune, or take what was pruned before."""
    if path.is_file():
        return Pruning(**json.loads(path.read_text()))
    result = task()
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(result), indent=2) + "\n")
    return result
