"""Start of a run's loggers."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import wandb
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import DummyLogger

from lightning_app.files import naming

log = logging.getLogger(__name__)

_PATIENCE_S = 5.0
_INIT_TIMEOUT_S = "20"  # W&B's own is 90


class StartOfRun(Callback):
    """Starts the loggers when the run starts, after everything that can refuse it.

    Lightning starts them first of all: a refused run would leave a W&B run behind, and lose the metrics that it was to
    continue. Until the start other callbacks see loggers that log nothing.

    Args:
        trainer: trainer of the run; its loggers are replaced.
        started: called when the run starts.
    """

    def __init__(self, trainer: Trainer, started: Callable[[], None]) -> None:
        self._loggers, self._started, self._starts = trainer.loggers, False, started
        trainer.loggers = [NoLogger(each.save_dir) for each in trainer.loggers]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate":  # not of fit
            self._start(trainer, pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        for checkpoint in trainer.checkpoint_callbacks if not self._started else ():
            checkpoint.save_on_exception = False  # type: ignore[attr-defined] # would replace the one to resume

    def _start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.loggers = start(self._loggers)
        for logger in trainer.loggers:
            logger.log_graph(pl_module)  # type: ignore[attr-defined] # Lightning calls it before the run starts
        self._started = True
        self._starts()


class NoLogger(DummyLogger):
    """Logs nothing.

    Args:
        folder: folder that callbacks may write to.
    """

    def __init__(self, folder: str | None) -> None:
        super().__init__()
        self._folder = folder

    @property
    def save_dir(self) -> str | None:
        return self._folder


def start(loggers: Sequence[Logger]) -> list[Logger]:
    """Start loggers, W&B before TensorBoard, which it can only then record.

    ``WANDB_MODE=disabled`` replaces a W&B logger by one that logs nothing. It logs offline if its server cannot be
    reached.

    Raises:
        wandb.errors.Error: W&B refuses the run, e.g. as nobody is logged in.
    """
    ready = [_wandb(each) if isinstance(each, WandbLogger) else each for each in loggers]
    for logger in sorted(ready, key=lambda each: not isinstance(each, WandbLogger)):
        _ = getattr(logger, "experiment", None)
        if isinstance(logger, CSVLogger):
            save = naming(Path(logger.log_dir, ExperimentWriter.NAME_METRICS_FILE))(logger.save)
            logger.save = save  # type: ignore[method-assign] # an error of the disk names no file there
    return ready


def finish(trainer: Trainer) -> None:
    """Finish the W&B run, which else prints its summary when the process ends, below everything else."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            logger.experiment.finish(exit_code=int(trainer.interrupted))


def _wandb(logger: WandbLogger) -> Logger:
    mode = os.environ.get("WANDB_MODE")
    if mode == "disabled":
        return NoLogger(logger.save_dir)
    if logger._offline or mode in ("offline", "dryrun"):
        return logger
    os.environ.setdefault("WANDB_INIT_TIMEOUT", _INIT_TIMEOUT_S)
    settings = wandb.setup().settings  # of the environment and of `wandb login`, `wandb offline` and `wandb disabled`
    if settings.mode == "disabled":
        return NoLogger(logger.save_dir)
    if settings.mode not in ("offline", "dryrun") and not _answers(settings.base_url):
        log.warning("W&B: %s does not answer; the run is logged offline, `wandb sync` uploads it", settings.base_url)
        logger._wandb_init["mode"] = "offline"
    return logger


def _answers(url: str) -> bool:
    """Whether W&B answers in time, with any status. In a thread, as the look-up of a name has no time limit."""
    answers: list[bool] = []
    question = Request(f"{url}/graphql", b'{"query": "{__typename}"}', {"Content-Type": "application/json"})

    def ask() -> None:
        try:
            urlopen(question, timeout=_PATIENCE_S).close()
        except HTTPError:
            pass
        except (OSError, HTTPException):
            return
        answers.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return bool(answers)
