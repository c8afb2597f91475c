"""Progress bar and table of a run."""

from __future__ import annotations

import time
from datetime import timedelta
from math import isinf
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_HEADER = ("epoch", "step", "loss", "val abs_rel", "images/s", "elapsed", "left")
_LINE = "{:>5}  {:>13}  {:>6}  {:>11}  {:>8}  {:>8}  {:>8}"


class StepProgress(Callback):
    """Shows a progress bar over all steps of the run, and a table of its epochs.

    The bar shows loss, images per second and time left; a second bar is shown during evaluation. The table gets a line
    at the end of an epoch, at most one every ``every_s`` seconds. Lightning's progress bars show one epoch, which takes
    only seconds on a small data set.

    Args:
        every_s: minimum time between two lines of the table, in seconds.
    """

    def __init__(self, every_s: float = 60.0) -> None:
        self.every_s = every_s
        self._started = self._line_at = 0.0
        self._first_step = 0
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
        self._started = self._line_at = time.monotonic()
        self._first_step = trainer.global_step
        self._show("train", trainer.global_step, trainer.estimated_stepping_batches)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        now = time.monotonic()
        if not trainer.is_global_zero or now - self._line_at < self.every_s:
            return
        if self._line_at == self._started:
            self._progress.console.print(_LINE.format(*_HEADER), highlight=False)
        self._line_at = now
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        error = next((value for name, value in values.items() if name.endswith("/abs_rel")), None)
        steps, step = trainer.estimated_stepping_batches, trainer.global_step  # infinite if only max_time ends the run
        left = (now - self._started) / max(1, step - self._first_step) * (steps - step)
        seconds = (now - self._started, left)
        cells = (
            trainer.current_epoch + 1,
            f"{step}/{steps:.0f}",
            _number(values.get("train/loss")),
            _number(error),
            _number(values.get("train/images_per_second"), 1),
            *("" if isinf(each) else timedelta(seconds=round(each)) for each in seconds),
        )
        self._progress.console.print(_LINE.format(*map(str, cells)), highlight=False)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: dict[str, Any], batch_idx: int
    ) -> None:
        text = None
        if trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            # Not at every step: reading a metric waits for the device.
            shown = (("train/loss", "loss {:.3f}"), ("train/images_per_second", "{:.1f} images/s"))
            values = trainer.callback_metrics
            text = ", ".join(form.format(float(values[name])) for name, form in shown if name in values)
            self._print_progress(trainer.global_step, trainer.estimated_stepping_batches, text)
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

    def _print_progress(self, step: int, steps: float, text: str) -> None:
        """Print a line at each tenth of the run if the output is a file or a pipe, which shows no bar."""
        tenth = 100 if isinf(steps) else max(1, steps // 10)
        if not self._progress.console.is_terminal and step // tenth > self._tenths:
            self._tenths = int(step // tenth)
            print(f"train {step}/{steps:.0f}: {text}", flush=True)

    def _show(self, name: str, completed: int, steps: float, text: str | None = None) -> None:
        total = None if isinf(steps) else steps
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(f"{name:<8}", total=total, text="")
        self._progress.update(self._tasks[name], completed=completed, total=total)
        if text is not None:
            self._progress.update(self._tasks[name], text=text)


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"
