"""The metrics on the screen and on disk."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_app.report import print_results, write_results


class Results(Callback):
    """Prints the metrics with their protocol and counts: of every validation when training ends, else at once.

    Writes them to ``fit.json``, ``validate.json`` or ``test.json`` in the run's folder.
    """

    def __init__(self) -> None:
        self._history: dict[str, dict[str, float]] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._record(trainer, f"val, step {trainer.global_step}")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._record(trainer, "test")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not self._history or not trainer.is_global_zero:
            return
        print_results(self._history, f"{stage}: {trainer.default_root_dir}", "split, protocol")
        write_results(Path(trainer.default_root_dir) / f"{stage}.json", self._history)
        self._history = {}

    def _record(self, trainer: Trainer, split: str) -> None:
        partial = trainer.sanity_checking and trainer.num_sanity_val_steps != float("inf")
        if partial or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for key, value in trainer.callback_metrics.items():
            stage, _, rest = key.partition("/")
            protocol, _, name = rest.rpartition("/")
            if stage == split.split(",")[0] and protocol:
                self._history.setdefault(f"{split}, {protocol}", {})[name] = float(value)
