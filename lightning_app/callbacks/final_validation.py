"""Validation at the end of a run."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class FinalValidation(Callback):
    """Validates after the last step, however the run ends, so that every run has scores and a best checkpoint.

    Lightning validates after a step at which a run is told to stop, unless it has just done so. It does not do so at
    the end of its own accord, so the interval of validation can be longer than the run.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: dict[str, Any], batch_idx: int
    ) -> None:
        epochs = trainer.max_epochs if trainer.max_epochs not in (None, -1) else float("inf")
        last_epoch = trainer.is_last_batch and trainer.current_epoch + 1 >= epochs
        if last_epoch or 0 <= trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
        if trainer.should_stop and trainer.fit_loop._can_stop_early and trainer.check_val_every_n_epoch != 1:
            trainer.check_val_every_n_epoch = None  # the last epoch is validated, whichever its number
