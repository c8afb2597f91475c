"""What a run that resumes from a checkpoint can change, and whether there is anything left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from lightning_app.checkpoints import Checkpoint

_UNSET: tuple[Any, ...] = (None, False, {}, [])


def refuse_other_settings(checkpoint: Checkpoint, model: Namespace) -> None:
    """Check that the model section is that of the checkpoint, whose settings a resumed run takes.

    LightningCLI would ignore the configured ones.

    Args:
        checkpoint: checkpoint to resume.
        model: configured model, with ``class_path`` and ``init_args``. Its network is left to
            :func:`lightning_app.checkpoints.refuse_other_network`.

    Raises:
        ValueError: a setting differs.
    """
    theirs = {key: value for key, value in checkpoint.hyper_parameters.items() if key[0] != "_"}
    ours = model.init_args.as_dict()
    if ours.get("weights") is None or _is_moved(
        theirs.get("weights"), ours["weights"]
    ):  # what a run started from is not needed to resume it
        ours["weights"] = theirs.get("weights")
    before, now = (_flat({key: value for key, value in each.items() if key != "network"}) for each in (theirs, ours))
    before["class_path"], now["class_path"] = checkpoint.hyper_parameters["_class_path"], model.class_path
    for key in sorted(now.keys() | before.keys()):
        old, new = before.get(key), now.get(key)
        if old != new and not (old in _UNSET and new in _UNSET):
            option = f"--model.{key}".removesuffix(".class_path")
            raise ValueError(
                f"{option} {new} has no effect with --ckpt_path: {checkpoint.path} was trained with {old}, and a "
                f"resumed run keeps it. Give {option} {old} to resume, or start a new run from its weights: replace "
                f"--ckpt_path by --model.weights"
            )


def finished(checkpoint: Checkpoint, trainer: Namespace) -> str | None:
    """A message if the run of a checkpoint is finished under the trainer's limits, else None."""
    content = checkpoint.content
    steps, epochs = content["global_step"], content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    for name, done, limit in (("max_steps", steps, trainer.max_steps), ("max_epochs", epochs, trainer.max_epochs)):
        if limit is not None and 0 <= limit <= done:
            more = f"to train longer give a larger --trainer.{name}, " if _can_go_on(content) else ""
            return (
                f"{checkpoint.path}: this run is finished: {done} of {limit} {name.removeprefix('max_')}; {more}"
                "to start a new run from its weights give --model.weights in place of --ckpt_path"
            )
    return None


def _is_moved(old: Any, new: Any) -> bool:
    """Whether a file was moved: its old path is gone, and the new one has the same name."""
    return old is not None and Path(str(old)).name == Path(str(new)).name and not Path(str(old)).exists()


def _can_go_on(content: dict[str, Any]) -> bool:
    """Whether the schedule of a checkpoint is defined beyond its last step."""
    return not any("total_steps" in schedule for schedule in content["lr_schedulers"])


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings to dotted keys without ``init_args``; tuples become lists."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, dict) and value else {name: value}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items()}
