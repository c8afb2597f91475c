"""Save the configuration of a run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback

from lightning_app.files import atomic_write


class RunConfig(SaveConfigCallback):
    """Writes ``config.yaml`` to the run's folder, and adds the configuration to the loggers and to every checkpoint.

    Paths of the run's folder are removed, so that the file can start a new run without replacing checkpoints.
    Lightning's own callback writes to the logger's folder, which fails if several runs share one W&B project.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing: the run may still be refused."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().setup(trainer, pl_module, "fit")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate":
            super().setup(trainer, pl_module, "validate")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().setup(trainer, pl_module, "test")

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file and log the configuration (called on rank 0 only)."""
        with atomic_write(Path(trainer.default_root_dir) / "config.yaml") as temporary:
            temporary.write_text(self._yaml)
        for logger in trainer.loggers:
            logger.log_hyperparams(self.config.as_dict())

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self._yaml

    @cached_property
    def _yaml(self) -> str:
        # Once: a checkpoint that is saved on an exception must not fail while the configuration is validated again.
        config = self.config.clone()
        root = str(config.trainer.default_root_dir)
        config.trainer.default_root_dir = config.ckpt_path = None
        for part in (config.trainer.logger, config.trainer.callbacks):
            for each in part if isinstance(part, list) else []:
                arguments = each.get("init_args") or {}
                if arguments.get("save_dir") == root:
                    arguments["save_dir"] = "runs"
                if arguments.get("dirpath") == str(Path(root) / "checkpoints"):
                    arguments["dirpath"] = None
        return str(self.parser.dump(config, skip_none=False))
