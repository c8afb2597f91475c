"""Panels of images, predictions and ground truth."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F

from lightning_app.callbacks.save_picture import save_picture
from lightning_app.colormap import colour_depth
from lightning_app.evaluation.pictures import header, in_metres, is_sparse, to_picture, widened
from models import DepthNetwork

COLUMNS = ("image", "prediction", "ground truth", "error")


class Panels(Callback):
    """Draws image, prediction, ground truth and error of frames spread evenly over each evaluation, one row per frame.

    Prediction and ground truth share one colour scale (near is bright). The error is |p - g| / g, from 0 (black) to
    50 % or more (white). Panels are written to ``panels/`` in the run's folder and to the run's loggers.

    Args:
        frames: number of frames per panel.
    """

    def __init__(self, frames: int = 4) -> None:
        self.frames = frames
        self._rows: list[NDArray[np.uint8]] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        batches = trainer.num_test_batches if trainer.testing else trainer.num_val_batches
        self._collect(pl_module, batch, (batch_idx + 1) / batches[dataloader_idx])

    on_test_batch_end = on_validation_batch_end

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, "test")

    def _collect(self, pl_module: LightningModule, batch: dict[str, Any], done: float) -> None:
        """Take frames of a batch, with which the share ``done`` of the evaluation is over."""
        size = len(batch["image"])
        due = min(math.ceil(self.frames * done) - len(self._rows), size)
        if due <= 0 or not pl_module.trainer.is_global_zero:
            return
        spread = torch.arange(due) * size // due
        chosen = {key: batch[key][spread] for key in ("image", "intrinsics", "depth")}
        predictions: Tensor = pl_module.predict(chosen)  # type: ignore[operator]
        predicts = cast(DepthNetwork, pl_module.network).predicts
        for index, prediction in enumerate(predictions):
            truth = chosen["depth"][index]
            self._rows.append(_row(chosen["image"][index], in_metres(prediction, truth, predicts), truth))

    def _write(self, trainer: Trainer, split: str) -> None:
        rows, self._rows = self._rows, []
        if not rows or trainer.sanity_checking:
            return
        panel = np.concatenate([header(rows[0].shape[1], COLUMNS), *rows])
        save_picture(trainer, split, f"{split}/panels", panel)


def _row(image: Tensor, prediction: Tensor, truth: Tensor) -> NDArray[np.uint8]:
    """Image, prediction, ground truth and error side by side: RGB uint8, (H, 4 W, 3)."""
    known = truth > 0
    error = torch.where(known, (prediction - truth).abs() / truth.clamp_min(1e-3), 0)
    if is_sparse(truth):
        truth, error = widened(truth), F.max_pool2d(error[None], 3, 1, 1)[0]
    shown = prediction[0].cpu().numpy()
    near_m, far_m = (float(np.percentile(shown, q)) for q in (2, 98))
    grey = (error[0].cpu().numpy() / 0.5 * 255).clip(0, 255).astype(np.uint8)
    columns = [
        to_picture(image),
        colour_depth(shown, near_m, far_m),
        colour_depth(truth[0].cpu().numpy(), near_m, far_m),
        np.repeat(grey[..., None], 3, axis=-1),
    ]
    return np.concatenate(columns, axis=1)
