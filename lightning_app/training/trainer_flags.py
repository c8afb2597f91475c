"""Trainer flags that a run cannot honour."""

from __future__ import annotations

from jsonargparse import Namespace

_PRECISIONS = ("32", "32-true", "16", "16-mixed", "bf16", "bf16-mixed")  # images are float32 on the device


def refuse_flags(trainer: Namespace) -> None:
    """Check the trainer section of ``fit``, before anything is created.

    Raises:
        ValueError: a flag that has no effect here, or values that train nothing.
    """
    if trainer.barebones:
        raise ValueError("trainer.barebones saves no checkpoint and logs no loss: use pocketdepth profile for timings")
    if trainer.use_distributed_sampler:
        raise ValueError("trainer.use_distributed_sampler is not needed: the data module splits frames over processes")
    if trainer.model_registry:
        raise ValueError("trainer.model_registry is not supported: checkpoints are files in the run's folder")
    if str(trainer.precision or 32) not in _PRECISIONS:
        raise ValueError(f"trainer.precision {trainer.precision} is not supported: use 32-true, 16-mixed or bf16-mixed")
    for name in ("log_every_n_steps", "accumulate_grad_batches"):
        value = trainer[name]
        if value is not None and value < 1:
            raise ValueError(f"trainer.{name} {value} must be 1 or more")
    if trainer.gradient_clip_val is not None and trainer.gradient_clip_val < 0:
        raise ValueError(f"trainer.gradient_clip_val {trainer.gradient_clip_val} clips nothing: give a positive number")
    interval = trainer.val_check_interval
    if isinstance(interval, int | float) and interval <= 0:
        raise ValueError(f"trainer.val_check_interval {interval} must be positive; trainer.limit_val_batches 0 is none")
    if not trainer.fast_dev_run:
        _refuse_length(trainer)


def drop_callbacks(trainer: Namespace) -> None:
    """Remove the configured callbacks that a flag turns off or replaces; Lightning would refuse them or fail."""
    off = {
        "ModelCheckpoint": trainer.enable_checkpointing is False,
        "LearningRateMonitor": trainer.logger is False,
        "StepProgress": bool(trainer.enable_progress_bar),
    }
    given = (
        trainer.callbacks if isinstance(trainer.callbacks, list) else [trainer.callbacks] if trainer.callbacks else []
    )
    trainer.callbacks = [each for each in given if not off.get(each.class_path.rpartition(".")[2])]


def _refuse_length(trainer: Namespace) -> None:
    """Check that a run trains, and that it has a known number of steps."""
    for name in ("max_steps", "max_epochs", "limit_train_batches"):
        value = trainer[name]
        if value == 0 or (value is not None and value < -1):
            raise ValueError(f"trainer.{name} {value} trains nothing")
    if trainer.max_steps == -1 and trainer.max_epochs in (None, -1):
        beside = " beside trainer.max_time" if trainer.max_time is not None else ""
        raise ValueError(
            "the learning rate schedule needs the length of the run: give --trainer.max_steps or "
            f"--trainer.max_epochs{beside}"
        )
    for least, most in (("min_steps", "max_steps"), ("min_epochs", "max_epochs")):
        if trainer[least] is not None and trainer[most] is not None and trainer[least] > trainer[most] > 0:
            raise ValueError(f"trainer.{least} {trainer[least]} is more than trainer.{most} {trainer[most]}")
