"""Print and save metrics."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_app.evaluation.tables import headline, print_results, write_results


class Results(Callback):
    """Prints the metrics of each protocol with their frame counts, and writes them to the run's folder.

    ``fit`` prints a line after each validation, and a table of the first and last validation at the end.
    ``validate`` and ``test`` print one table. The files are ``fit.json``, ``validate.json`` and ``test.json``.
    """

    def __init__(self) -> None:
        self._history: dict[str, dict[str, float]] = {}
        self._protocols = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        complete = not trainer.sanity_checking or trainer.num_sanity_val_steps == float("inf")
        if complete:
            self._record(trainer, "val", f"step {trainer.global_step}\n" if trainer.state.fn == "fit" else "")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._record(trainer, "test")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not self._history or not trainer.is_global_zero:
            return
        root = Path(trainer.default_root_dir)
        assert trainer.state.fn is not None
        verb = str(trainer.state.fn.value)
        columns = list(self._history)
        shown = {column: self._history[column] for column in columns[: self._protocols] + columns[-self._protocols :]}
        file = root / f"{verb}.json"
        write_results(file, {" ".join(key.split()): row for key, row in self._history.items()})
        print_results(shown, f"{verb}: {root}", file)
        self._history = {}

    def _record(self, trainer: Trainer, stage: str, when: str = "") -> None:
        rows: dict[str, dict[str, float]] = {}
        for key, value in trainer.callback_metrics.items():
            split, _, rest = key.partition("/")
            protocol, _, name = rest.partition("/")
            if split == stage and name:
                rows.setdefault(f"{stage} {when}{protocol}", {})[name] = float(value)
        self._history |= rows
        self._protocols = len(rows)
        for column, row in rows.items() if when and trainer.is_global_zero else ():
            print(f"{' '.join(column.split())}: {headline(row)}")
