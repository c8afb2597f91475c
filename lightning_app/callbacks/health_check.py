"""Stop a run that cannot succeed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.optim import Optimizer

_STEPS = 50  # in which something must be learned


class _Value(NamedTuple):
    name: str
    step: int
    paths: Sequence[str]
    value: Tensor


class HealthCheck(Callback):
    """Stops a run whose loss, gradient or monitored metric is NaN or infinite, and one that learns nothing.

    A run learns nothing if in its first 50 steps, or its first epoch, every gradient is 0. The same holds if no frame
    has depth, a label or an ordinal pair while a term of the loss is 0; then only regularisation is trained.

    On a GPU values are read every ``log_every_n_steps`` and before each validation and checkpoint, as reading waits for
    the device. Weights that are not finite are never saved.

    Raises:
        RuntimeError: with the step and the frames of the batch.
    """

    def __init__(self) -> None:
        self._values: list[_Value] = []
        self._paths: Sequence[str] = []
        self._first_step = 0
        self._learned = self._supervised = self._judged = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._first_step = trainer.global_step

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: dict[str, Any], batch_idx: int
    ) -> None:
        self._paths = batch.get("path", ())
        self._supervised = self._supervised or _has_truth(batch)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._watch(trainer, "loss", loss)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        gradients = [each.grad for each in pl_module.parameters() if each.grad is not None]
        if not gradients:
            return
        norm = torch.nn.utils.get_total_norm(gradients)
        if getattr(trainer.precision_plugin, "scaler", None) is not None:  # it skips steps of infinite gradients
            norm = norm.nan_to_num(1, 1)
        self._watch(trainer, "gradient", norm)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: dict[str, Any], batch_idx: int
    ) -> None:
        if trainer.global_step % max(1, trainer.log_every_n_steps) == 0:  # type: ignore[attr-defined]
            self._check(trainer)
        if trainer.global_step - self._first_step >= _STEPS:
            self._judge(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step > self._first_step:
            self._judge(trainer, pl_module)
        self._check_monitored(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not (trainer.sanity_checking and math.isfinite(trainer.num_sanity_val_steps)):
            self._check_monitored(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._check(trainer)

    def _watch(self, trainer: Trainer, name: str, value: Tensor) -> None:
        self._values.append(_Value(name, trainer.global_step + 1, self._paths, value.detach()))
        if not self._waits(value):
            self._check(trainer)

    @staticmethod
    def _waits(value: Tensor) -> bool:
        """Whether reading a value waits for the device."""
        return value.device.type != "cpu"

    def _check(self, trainer: Trainer) -> None:
        """Read the values since the last check."""
        values, self._values = self._values, []
        if not values:
            return
        for each, number in zip(values, torch.stack([each.value.float() for each in values]).tolist(), strict=True):
            if not math.isfinite(number):
                _fail(
                    trainer,
                    f"step {each.step}: the {each.name} is {number}, for {_frames(each.paths)}; try a lower "
                    "--model.optimizer.lr; --trainer.detect_anomaly true finds the operation",
                )
            self._learned = self._learned or (each.name == "gradient" and number > 0)

    def _judge(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise RuntimeError if nothing was learned so far; once in a run."""
        if self._judged:
            return
        self._judged = True
        self._check(trainer)
        terms = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("train/")}
        zero = [key.removeprefix("train/") for key, value in terms.items() if value == 0]
        if self._learned and (self._supervised or not zero):
            return
        loss = type(pl_module.loss).__name__
        found = "no gradient" if not self._learned else f"no ground truth, and {', '.join(zero)} is 0"
        _fail(
            trainer,
            f"step {trainer.global_step}: {found} since the start: no pixel that {loss} compares "
            f"is known, e.g. in {_frames(self._paths)}; give data.train frames with depth, labels or ordinal pairs",
            learned=False,
        )

    def _check_monitored(self, trainer: Trainer) -> None:
        """Raise RuntimeError if a metric is not finite by which the best checkpoint is chosen or the run is ended."""
        metrics = trainer.callback_metrics
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # not declared by Lightning
        for name in {str(getattr(each, "monitor", None)) for each in callbacks} & metrics.keys():
            value, protocol = float(metrics[name]), name.rpartition("/")[0]
            frames, invalid = (int(metrics.get(f"{protocol}/{count}", -1)) for count in ("frames", "invalid"))
            if not math.isfinite(value):
                why = ""
                if frames == 0:
                    why = ": no frame of the validation split has ground truth for it"
                    why = f": all {invalid} predictions are invalid" if invalid > 0 else why
                _fail(trainer, f"step {trainer.global_step}: {name} is {value}, so no checkpoint can be the best{why}")


def _fail(trainer: Trainer, message: str, learned: bool = True) -> None:
    """Raise RuntimeError. Weights and statistics that are not finite, or not trained, are not saved on the way out."""
    finite = all(bool(each.isfinite().all()) for each in trainer.lightning_module.state_dict().values())
    for callback in trainer.checkpoint_callbacks if not (finite and learned) else ():
        if isinstance(callback, ModelCheckpoint):
            callback.save_on_exception = False
    raise RuntimeError(message)


def _has_truth(batch: dict[str, Any]) -> bool:
    """Whether a pixel has depth or a label, or a frame has an ordinal pair."""
    known = [batch[key] > 0 for key in ("depth", "inv_depth") if key in batch]
    known += [batch["pair"][:, 4] != 0] if "pair" in batch else []
    return any(bool(each.any()) for each in known)


def _frames(paths: Sequence[str]) -> str:
    more = f" (and {len(paths) - 2} more)" if len(paths) > 2 else ""
    return ", ".join(paths[:2]) + more if paths else "a batch without paths"
