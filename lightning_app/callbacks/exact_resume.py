"""Resume a run exactly where its checkpoint was saved."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

# Progress of a validation that was interrupted at its first batch: Lightning starts it again.
_INTERRUPTED = {"ready": 1, "started": 1, "processed": 0, "completed": 0}


class ExactResume(Callback):
    """Resumes a run with the batch that follows the last optimizer step, under ``max_steps`` and ``max_epochs``.

    Lightning's own counters depend on where in its loops the checkpoint was saved. It would count an epoch twice after
    a checkpoint of an epoch's end, skip a validation that was interrupted, and train on batches that the loader had
    fetched before the counters were restored.
    """

    def __init__(self) -> None:
        self._step = -1
        self._buffers: dict[str, Tensor] = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: dict[str, Any], batch_idx: int
    ) -> None:
        """Keep the buffers (BatchNorm statistics) of the last optimizer step: a batch changes them before its step."""
        if self._step == trainer.global_step:
            return
        self._step, live = trainer.global_step, dict(pl_module.named_buffers())
        if not self._buffers:
            self._buffers = {name: buffer.clone() for name, buffer in live.items()}
        if live:  # not every network has BatchNorm
            torch._foreach_copy_(list(self._buffers.values()), list(live.values()))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save a batch that was interrupted as not started."""
        if trainer.training and self._step == trainer.global_step:
            state = checkpoint["state_dict"]
            state |= {name: buffer for name, buffer in self._buffers.items() if name in state}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Set the counters to what is completed: an interrupted batch counts as not started.

        Raises:
            ValueError: the checkpoint's schedule ends before the run.
        """
        if trainer.state.fn != "fit":
            return
        _refuse_longer(trainer, checkpoint)
        loops = checkpoint["loops"]["fit_loop"]
        batches, epochs, validation = (
            loops[name]
            for name in ("epoch_loop.batch_progress", "epoch_progress", "epoch_loop.val_loop.batch_progress")
        )
        # ModelCheckpoint saves before or after the validation of a batch; only after it the batch is completed.
        completed = batches["current"]["completed"] == batches["current"]["processed"]
        validated = validation["current"]["ready"] == validation["current"]["completed"] > 0
        if not (completed and validated and validation["is_last_batch"]):
            validation["total"], validation["is_last_batch"] = dict(_INTERRUPTED), False
        for count in (batches["total"], batches["current"]):
            count |= dict.fromkeys(count, count["processed"])
        for count in (epochs["total"], epochs["current"]):
            unfinished = count["started"] > count["processed"]
            count |= dict.fromkeys(count, count["processed"])
            count |= {"ready": count["processed"] + unfinished, "started": count["processed"] + unfinished}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Continue the interrupted epoch, or start the next one, and fetch its batches anew."""
        if trainer.ckpt_path is None:
            return
        run, epoch = trainer.fit_loop, trainer.fit_loop.epoch_loop
        fetcher, batches = run._data_fetcher, epoch.batch_progress
        assert fetcher is not None
        batches.is_last_batch = batches.current.ready >= trainer.num_training_batches
        validates = epoch._should_check_val_fx(fetcher)
        if run.restarted_mid_epoch and batches.is_last_batch and not validates:
            run.epoch_progress.increment_processed()
            run.epoch_progress.increment_completed()
            run.reset_restart_stage()
        if not run.restarted_mid_epoch:
            epoch.restarting = False
        elif not batches.is_last_batch:  # gradients that were not applied yet are lost: accumulate them again
            batches.increment_by(-(batches.current.ready % trainer.accumulate_grad_batches))
        epoch._batches_that_stepped = trainer.global_step - (epoch.restarting and validates)
        iter(fetcher)


def _refuse_longer(trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Raise ValueError if a schedule, such as OneCycle, is not defined up to the end of the run."""
    ends = [int(state["total_steps"]) for state in checkpoint["lr_schedulers"] if "total_steps" in state]
    steps = trainer.estimated_stepping_batches
    if any(end < steps for end in ends):
        raise ValueError(
            f"{trainer.ckpt_path}: its learning rate schedule ends at step {min(ends)}, so it cannot be resumed for "
            f"{steps} steps; to start a new run from its weights give --model.weights in place of --ckpt_path"
        )
