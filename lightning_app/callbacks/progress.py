"""The progress bar."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StepProgress(Callback):
    """One bar over all steps of the run, with loss, images per second and time left; a second one while it evaluates.

    Lightning's own bars show one epoch, and an epoch of a small data set is seconds.
    """

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
        self._progress = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[text]}")
        )
        self._tasks: dict[str, Any] = {}
        self._tenths = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            self._progress.start()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._progress.stop()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._show("train", trainer.global_step, trainer.estimated_stepping_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: dict[str, Any], batch_idx: int
    ) -> None:
        text = None
        if trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            # Not at every step: to read a number waits for the device.
            shown = (("train/loss", "loss {:.3f}"), ("train/images_per_second", "{:.1f} images/s"))
            values = trainer.callback_metrics
            text = ", ".join(form.format(float(values[name])) for name, form in shown if name in values)
            self._print_where_no_bar_moves(trainer.global_step, int(trainer.estimated_stepping_batches), text)
        self._show("train", trainer.global_step, trainer.estimated_stepping_batches, text)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        sanity = trainer.sanity_checking
        batches = trainer.num_sanity_val_batches if sanity else trainer.num_val_batches
        self._show("check" if sanity else "validate", batch_idx + 1, sum(batches))

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._show("test", batch_idx + 1, sum(trainer.num_test_batches))

    def _print_where_no_bar_moves(self, step: int, steps: int, text: str) -> None:
        """Into a file or a pipe, a line at each tenth of the run."""
        tenth = max(1, steps // 10)
        if not self._progress.console.is_terminal and step // tenth > self._tenths:
            self._tenths = step // tenth
            print(f"train {step}/{steps}: {text}", flush=True)

    def _show(self, name: str, completed: int, total: float, text: str | None = None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(f"{name:<8}", total=total, text="")
        self._progress.update(self._tasks[name], completed=completed, total=total)
        if text is not None:
            self._progress.update(self._tasks[name], text=text)
