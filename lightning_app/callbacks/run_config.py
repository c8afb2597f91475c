"""The run's configuration: beside its files, in its logger and inside each of its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback

from lightning_app.files import atomic_write


class RunConfig(SaveConfigCallback):
    """Writes ``config.yaml`` into the run's folder, logs it, and puts it into every checkpoint.

    It names no folder of this run, so that it starts another one as it is: a run that wrote there would replace
    checkpoints. Lightning's own callback writes where the logger says, which breaks where several runs share one W&B
    project.
    """

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file and log the flat configuration (rank 0 only)."""
        with atomic_write(Path(trainer.default_root_dir) / "config.yaml") as temporary:
            temporary.write_text(self._yaml())
        for logger in trainer.loggers:
            logger.log_hyperparams(self.config.as_dict())

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self._yaml()

    def _yaml(self) -> str:
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
