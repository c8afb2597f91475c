"""A run that was stopped and resumed ends like one that was never stopped, to the bit."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_app.training import DepthModule
from losses import SILog
from tests.helpers.tiny_network import TinyNetwork
from tests.helpers.tiny_run import tiny_data, tiny_trainer

SCHEDULES: dict[str, dict[str, Any]] = {
    "steps": {"max_steps": 8},
    "epochs": {"max_epochs": 3},
    "both": {"max_steps": 8, "max_epochs": 3},
}
VALIDATIONS: dict[str, dict[str, Any]] = {
    "each epoch": {},
    "every 3": {"val_check_interval": 3, "check_val_every_n_epoch": None},
    "every 2": {"val_check_interval": 2, "check_val_every_n_epoch": None},
    "twice an epoch": {"val_check_interval": 0.34},
    "none": {"limit_val_batches": 0},
}


class StoppedError(Exception):
    """What ends a run in these tests."""


class StopAt(Callback):
    """Ends a run at a step, at one place of Lightning's loops. Three batches are an epoch.

    Args:
        place: ``before`` the batch that follows, in the ``middle`` of the next one, ``after`` the batch, at the
            ``epoch``'s end, or in the ``validation`` that follows.
        step: number of optimizer steps.
    """

    def __init__(self, place: str, step: int) -> None:
        self.place, self.step = place, step

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        self._stop(trainer, "before")

    def on_before_optimizer_step(self, trainer: Trainer, *args: Any) -> None:
        self._stop(trainer, "middle")

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        self._stop(trainer, "after")

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        self._stop(trainer, "validation")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop(trainer, "epoch")

    def _stop(self, trainer: Trainer, place: str) -> None:
        if place == self.place and trainer.global_step == self.step and not trainer.sanity_checking:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "stopped.ckpt")
            raise StoppedError


class Record(Callback):
    """The steps at which a run validated, and the frames of its batches."""

    def __init__(self) -> None:
        self.validated: list[int] = []
        self.trained: list[tuple[int, tuple[str, ...]]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.trained.append((trainer.current_epoch, tuple(batch["path"])))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validated.append(trainer.global_step)


def fit(
    root: Path, workers: int, options: dict[str, Any], stop: StopAt | None = None, resume: bool = False
) -> tuple[Record, dict[str, Any]]:
    """Train the smallest network; returns what was recorded, and the last checkpoint."""
    record, last = Record(), ModelCheckpoint(root, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = tiny_trainer(root, record, *([stop] if stop else []), last, **options)
    data = tiny_data(workers=workers)  # seeds the network, too
    module = DepthModule(TinyNetwork(), SILog())
    if stop:
        with pytest.raises(StoppedError):
            trainer.fit(module, data)
        return record, {}
    trainer.fit(module, data, ckpt_path=str(root / "stopped.ckpt") if resume else None, weights_only=False)
    return record, torch.load(root / "last.ckpt", weights_only=False)


def same(one: Any, two: Any) -> bool:
    """Whether nested states are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else bool(one == two)


def check(root: Path, workers: int, options: dict[str, Any], place: str, steps: tuple[int, ...]) -> None:
    """Compare runs that are stopped at steps and resumed with one that is not."""
    whole, expected = fit(root / "whole", workers, options)
    for step in steps:
        if place == "validation" and step not in whole.validated:
            continue
        folder = root / str(step)
        before, _ = fit(folder, workers, options, StopAt(place, step))
        after, found = fit(folder, workers, options, resume=True)
        again = {"before": 1, "middle": options.get("accumulate_grad_batches", 1)}.get(
            place, 0
        )  # batches without a step
        assert before.trained[: len(before.trained) - again] + after.trained == whole.trained, step
        assert before.validated + after.validated == whole.validated, step
        keys = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch")
        assert [key for key in keys if not same(expected[key], found[key])] == [], step


@pytest.mark.parametrize(
    ("schedule", "workers"), [("steps", 0), ("epochs", 0), ("epochs", 1), ("both", 0), ("both", 1)]
)
@pytest.mark.parametrize(("place", "step"), [("middle", 4), ("epoch", 3)])
def test_resumed_run(place: str, step: int, schedule: str, workers: int, data_root: Path, tmp_path: Path) -> None:
    check(tmp_path, workers, SCHEDULES[schedule], place, (step,))


# Every place with every validation; schedules and numbers of workers rotate, as all combinations take an hour.
COMBINATIONS = [
    (place, validation, tuple(SCHEDULES)[index % 3], index // 3 % 3)
    for index, (place, validation) in enumerate(
        product(("before", "middle", "after", "epoch", "validation"), VALIDATIONS)
    )
]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "validation", "schedule", "workers"), COMBINATIONS)
def test_resumed_run_wherever_it_stopped(
    place: str, validation: str, schedule: str, workers: int, data_root: Path, tmp_path: Path
) -> None:
    steps = (3, 6) if place == "epoch" else (1, 2, 3, 4, 5, 6)
    check(tmp_path, workers, SCHEDULES[schedule] | VALIDATIONS[validation], place, steps)


@pytest.mark.parametrize(("place", "step"), [("middle", 2), ("epoch", 4)])
def test_a_resumed_run_accumulates_gradients_alike(place: str, step: int, data_root: Path, tmp_path: Path) -> None:
    """Two steps an epoch, the second of one batch; ``middle`` loses the gradients of two batches."""
    check(tmp_path, 0, {"max_epochs": 3, "accumulate_grad_batches": 2}, place, (step,))
