"""What a run leaves, and how to go on from it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_app.training.depth_module import DepthModule
from lightning_app.training.style_module import StyleModule

_REPLACED = ("--trainer.default_root_dir", "--ckpt_path")  # arguments that a command to resume a run gives itself


def print_end(trainer: Trainer, root: Path, args: Sequence[str]) -> None:
    """Print the best and the last checkpoint of ``fit``, and the command to run next: each is one line.

    Args:
        trainer: trainer of the run, which may have been interrupted.
        root: folder of the run.
        args: arguments of ``fit``.
    """
    saved = [each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]
    by_score = next((each for each in saved if each.monitor), None)
    latest = next((each for each in saved if not each.monitor), None)
    best = _shown(by_score.best_model_path) if by_score else ""
    last = _shown(latest._last_checkpoint_saved or str(trainer.ckpt_path or "")) if latest else ""
    if by_score and best and by_score.best_model_score is not None:
        print(f"best: {best} ({by_score.monitor} {float(by_score.best_model_score):.4g})")
    else:
        print(f"best: {best or 'none, as no validation was completed'}")
    print(f"last: {last} (step {trainer.global_step})" if last else "last: none")
    print(f"next: {_resume(root, args, bool(last)) if trainer.interrupted else _use(trainer, root, best or last)}")


def _shown(path: str) -> str:
    """A path, relative to the working folder if it is inside; empty if there is no such file."""
    file = Path(path)
    if not path or not file.is_file():
        return ""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def _resume(root: Path, args: Sequence[str], saved: bool) -> str:
    kept: list[str] = []
    for before, argument in zip(("", *args), args, strict=False):
        if before not in _REPLACED and argument.partition("=")[0] not in _REPLACED:
            kept.append(argument)
    resume = ["--ckpt_path", "last"] if saved else []
    return shlex.join(["pocketdepth", "fit", *kept, "--trainer.default_root_dir", str(root), *resume])


def _use(trainer: Trainer, root: Path, checkpoint: str) -> str:
    module = trainer.lightning_module
    if not checkpoint:
        return "nothing, as no checkpoint was saved"
    if isinstance(module, StyleModule):
        return f"data.style.network: lightning_app.training.load_stylizer, its checkpoint: {checkpoint}"
    if not isinstance(module, DepthModule):
        return shlex.join(["--model.weights", checkpoint])
    evaluate = ["pocketdepth", "evaluate", checkpoint, "--data", str(root / "config.yaml")]
    has_test = getattr(trainer, "datamodule", None) is not None and trainer.datamodule.test  # type: ignore[attr-defined]
    return f"{shlex.join(evaluate if has_test else [*evaluate, '--split', 'val'])}; {_export(checkpoint)}"


def _export(checkpoint: str) -> str:
    return shlex.join(["pocketdepth", "export", checkpoint])
