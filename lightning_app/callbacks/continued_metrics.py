"""metrics.csv of a resumed run."""

from __future__ import annotations

import csv
from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from lightning_app.files import atomic_write


class ContinuedMetrics(ExperimentWriter):
    """Writer of CSVLogger that keeps the rows up to a checkpoint; Lightning's own deletes the file when it starts.

    The file is not touched before new rows are saved.

    Args:
        log_dir: folder of the logger.
        earlier: ``metrics.csv`` of the run up to the checkpoint.
        step: number of optimizer steps in the checkpoint.
    """

    def __init__(self, log_dir: str, earlier: Path, step: int) -> None:
        super().__init__(log_dir)
        self._earlier: Path | None = earlier
        self._step = step

    def save(self) -> None:
        """Save the new rows below the earlier ones."""
        if self.metrics and self._earlier is not None:
            new = {(str(row["step"]), frozenset(row)) for row in self.metrics}  # a validation that runs again
            with self._earlier.open(newline="") as stream:
                reader = csv.DictReader(stream)
                self.metrics_keys = list(reader.fieldnames or [])
                rows = [row for row in reader if _is_before(row, self._step) and _key(row) not in new]
            with atomic_write(Path(self.metrics_file_path)) as temporary, temporary.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, self.metrics_keys, extrasaction="ignore")
                writer.writeheader()
                writer.writerows(rows)
            self._earlier = None
        super().save()

    def _check_log_dir_exists(self) -> None:
        """Delete nothing."""


def _is_before(row: dict[str, str], step: int) -> bool:
    """Whether a row is of a step before ``step``; not if it is incomplete, as the last one of a killed run can be."""
    return (row["step"] or "").isdigit() and int(row["step"]) < step


def _key(row: dict[str, str]) -> tuple[str, frozenset[str]]:
    """Step of a row, and the names of its values."""
    return row["step"], frozenset(name for name, value in row.items() if value)


def continue_metrics(trainer: Trainer, checkpoint: Path, step: int) -> None:
    """Let the CSV loggers of a run continue the file of the run that it resumes, in its own folder or the former one.

    Args:
        trainer: trainer of the resumed run, which has not started.
        checkpoint: checkpoint of the former run.
        step: number of optimizer steps in the checkpoint.
    """
    for logger in trainer.loggers if trainer.is_global_zero else ():
        if isinstance(logger, CSVLogger):
            folders = (Path(logger.log_dir), checkpoint.parents[1])
            files = [folder / ExperimentWriter.NAME_METRICS_FILE for folder in folders]
            earlier = next((file for file in files if file.is_file()), None)
            if earlier is not None:
                logger._experiment = ContinuedMetrics(logger.log_dir, earlier, step)
