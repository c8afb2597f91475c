"""Panels of stylized images."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from datamodules.samples import content_and_style
from lightning_app.callbacks.save_picture import save_picture
from lightning_app.evaluation.pictures import header, to_picture
from models import StyleNetwork

STRENGTHS = (0.0, 0.5, 1.0)


class StylePanels(Callback):
    """Draws content, style and stylized images of a training batch at strengths 0, 0.5 and 1, one row per frame.

    Panels are written to ``panels/`` in the run's folder and to the run's loggers.

    Args:
        every: number of steps between two panels.
        frames: number of frames per panel.
    """

    def __init__(self, every: int = 250, frames: int = 4) -> None:
        self.every, self.frames = every, frames

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: dict[str, Any], batch_idx: int
    ) -> None:
        due = trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps
        if due and trainer.is_global_zero:
            self._draw(trainer, cast(StyleNetwork, pl_module.network), batch)

    def _draw(self, trainer: Trainer, network: StyleNetwork, batch: dict[str, Any]) -> None:
        content, style = (images[: self.frames] for images in content_and_style(batch))
        with torch.no_grad():
            statistics = network.statistics(style)
            painted = [network(content, statistics, content.new_full((len(content),), alpha)) for alpha in STRENGTHS]
        columns = [content, style, *painted]
        names = ["content", "style", *(f"strength {alpha:g}" for alpha in STRENGTHS)]
        rows = [np.concatenate([to_picture(column[row]) for column in columns], 1) for row in range(len(content))]
        panel = np.concatenate([header(rows[0].shape[1], names), *rows])
        save_picture(trainer, "style", "train/panels", panel)
