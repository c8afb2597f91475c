"""Every flag of the trainer does what it says, or is refused by name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace, dict_to_namespace
from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_app.training import DepthModule
from lightning_app.training.trainer_flags import drop_callbacks, refuse_flags
from losses import SILog
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml
from tests.helpers.tiny_network import TinyNetwork
from tests.helpers.tiny_run import tiny_data, tiny_trainer

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"barebones": True}, "trainer.barebones saves no checkpoint"),
    ({"use_distributed_sampler": True}, "trainer.use_distributed_sampler is not needed"),
    ({"model_registry": "mine"}, "trainer.model_registry is not supported"),
    ({"precision": "bf16-true"}, "trainer.precision bf16-true is not supported: use 32-true, 16-mixed or bf16-mixed"),
    ({"precision": 64}, "trainer.precision 64 is not supported"),
    ({"log_every_n_steps": 0}, "trainer.log_every_n_steps 0 must be 1 or more"),
    ({"accumulate_grad_batches": 0}, "trainer.accumulate_grad_batches 0 must be 1 or more"),
    ({"val_check_interval": 0}, "trainer.val_check_interval 0 must be positive"),
    ({"val_check_interval": -0.5}, "trainer.val_check_interval -0.5 must be positive"),
    ({"max_steps": 0}, "trainer.max_steps 0 trains nothing"),
    ({"max_steps": -2}, "trainer.max_steps -2 trains nothing"),
    ({"max_epochs": 0}, "trainer.max_epochs 0 trains nothing"),
    ({"limit_train_batches": 0}, "trainer.limit_train_batches 0 trains nothing"),
    ({"limit_train_batches": 0.0}, r"trainer.limit_train_batches 0.0 trains nothing"),
    ({"max_steps": -1}, "needs the length of the run: give --trainer.max_steps or --trainer.max_epochs"),
    ({"max_steps": -1, "max_epochs": -1}, "needs the length of the run"),
    ({"max_steps": -1, "max_time": "00:01:00:00"}, "--trainer.max_epochs beside trainer.max_time"),
    ({"min_steps": 20}, "trainer.min_steps 20 is more than trainer.max_steps 10"),
    ({"max_epochs": 2, "min_epochs": 3}, "trainer.min_epochs 3 is more than trainer.max_epochs 2"),
]
TAKEN: list[dict[str, Any]] = [
    {"max_steps": -1, "max_epochs": 2},
    {"max_epochs": 2},
    {"max_time": "00:01:00:00"},
    {"fast_dev_run": True, "max_steps": -1},
    {"precision": "16-mixed"},
    {"precision": 32},
    {"val_check_interval": 0.5},
    {"val_check_interval": "00:00:10:00"},
    {"min_steps": 10, "min_epochs": 1},
    {"limit_train_batches": 0.5},
]


def flags(**changes: Any) -> Namespace:
    """The trainer section: Lightning's defaults, as the command line fills them in."""
    defaults = {name: each.default for name, each in inspect.signature(Trainer).parameters.items()}
    found: Namespace = dict_to_namespace(defaults | {"max_steps": 10, "use_distributed_sampler": False} | changes)
    return found


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_refused_flags(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        refuse_flags(flags(**changes))


@pytest.mark.parametrize("changes", TAKEN)
def test_taken_flags(changes: dict[str, Any]) -> None:
    refuse_flags(flags(**changes))


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, ["ModelCheckpoint", "LearningRateMonitor", "StepProgress"]),
        ({"enable_checkpointing": False}, ["LearningRateMonitor", "StepProgress"]),
        ({"logger": False}, ["ModelCheckpoint", "StepProgress"]),
        ({"enable_progress_bar": True}, ["ModelCheckpoint", "LearningRateMonitor"]),
    ],
)
def test_flags_turn_callbacks_off(changes: dict[str, Any], left: list[str]) -> None:
    names = ("ModelCheckpoint", "LearningRateMonitor", "StepProgress")
    trainer = flags(enable_progress_bar=False)
    trainer.callbacks = [dict_to_namespace({"class_path": f"some.{name}"}) for name in names]
    for key, value in changes.items():
        trainer[key] = value
    drop_callbacks(trainer)
    assert [each.class_path.removeprefix("some.") for each in trainer.callbacks] == left


class Frames(Callback):
    """The frames of every batch, with the seeds of their augmentation."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, int]]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.batches.append(list(zip(batch["path"], batch["key"].tolist(), strict=True)))


@pytest.mark.parametrize(("overfit", "different"), [(1, 1), (2, 2), (0.67, 2), (9, 3)])
def test_overfit_batches_repeats_the_same_batches(
    overfit: float, different: int, data_root: Path, tmp_path: Path
) -> None:
    frames = Frames()
    trainer = tiny_trainer(tmp_path, frames, max_steps=7, overfit_batches=overfit, enable_checkpointing=False)
    trainer.limit_val_batches = 0
    trainer.fit(DepthModule(TinyNetwork(), SILog()), tiny_data())
    assert frames.batches == [frames.batches[step % different] for step in range(7)]
    assert len({str(batch) for batch in frames.batches}) == different


def test_a_script_without_a_length_is_refused(data_root: Path, tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, max_steps=-1, max_time="00:00:00:05", enable_checkpointing=False)
    with pytest.raises(ValueError, match="set max_steps or max_epochs"):
        trainer.fit(DepthModule(TinyNetwork(), SILog()), tiny_data())


WORKING = [
    "accelerator cpu", "strategy auto", "devices 1", "num_nodes 1", "precision bf16-mixed", "logger false",
    "logger true", "fast_dev_run true", "fast_dev_run 2", "max_epochs 2", "max_time 00:01:00:00", "min_steps 2",
    "limit_train_batches 2", "limit_train_batches 0.5", "limit_val_batches 1", "limit_val_batches 0",
    "limit_test_batches 1", "limit_predict_batches 1", "overfit_batches 1", "val_check_interval 1",
    "val_check_interval 00:00:00:01", "check_val_every_n_epoch 1", "num_sanity_val_steps -1", "num_sanity_val_steps 0",
    "log_every_n_steps 2", "enable_checkpointing false", "enable_progress_bar true", "enable_model_summary true",
    "accumulate_grad_batches 2", "gradient_clip_val 0.5", "gradient_clip_algorithm value", "deterministic true",
    "benchmark true", "inference_mode false", "profiler simple", "detect_anomaly true", "sync_batchnorm true",
    "reload_dataloaders_every_n_epochs 1", "enable_autolog_hparams false", "callbacks null", "plugins null",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flag", WORKING)
def test_working_flags(flag: str, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    name, value = flag.split()
    call = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", tiny_yaml(tmp_path / "tiny.yaml"))
    network = ("--model.network", "tests.helpers.tiny_network.TinyNetwork")
    result = cli(*call, *network, f"--trainer.{name}", value, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 0, result.err
    assert "Traceback" not in result.err


def test_every_flag_is_covered() -> None:
    tried = {name for changes, _ in REFUSED for name in changes} | {flag.split()[0] for flag in WORKING}
    assert set(inspect.signature(Trainer).parameters) - tried == {"default_root_dir"}  # every run has one
