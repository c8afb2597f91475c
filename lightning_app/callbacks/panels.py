"""Pictures of what the network sees and says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor
from torch.nn import functional as F

from lightning_app.colormap import colour_depth
from lightning_app.evaluation.protocols import scale_and_shift
from lightning_app.files import atomic_write
from losses.masked import resize, resize_depth
from models import DepthNetwork

HEADER = 16
COLUMNS = ("image", "prediction", "truth", "error")


class Panels(Callback):
    """Draws image, prediction, truth and error of the first frames of each evaluation, one row a frame.

    Depth and truth share one scale of colours (near is bright); the error is |p - g| / g, black 0 to white 50 % and
    more. Written to ``panels/`` in the run's folder, and to the run's logger.

    Args:
        frames: how many.
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
        self._collect(pl_module, batch)

    on_test_batch_end = on_validation_batch_end

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, "test")

    def _collect(self, pl_module: LightningModule, batch: dict[str, Any]) -> None:
        room = self.frames - len(self._rows)
        if room <= 0 or not pl_module.trainer.is_global_zero:
            return
        with torch.no_grad():
            predictions = pl_module(batch["image"][:room])
        predicts = cast(DepthNetwork, pl_module.network).predicts
        for index, prediction in enumerate(predictions):
            truth = batch["depth"][index]
            self._rows.append(_row(batch["image"][index], in_metres(prediction, truth, predicts), truth))

    def _write(self, trainer: Trainer, split: str) -> None:
        rows, self._rows = self._rows, []
        if not rows or trainer.sanity_checking:
            return
        panel = np.concatenate([header(rows[0].shape[1], COLUMNS), *rows])
        path = Path(trainer.default_root_dir) / "panels" / f"{split}-{trainer.global_step:06d}.png"
        with atomic_write(path) as temporary:
            Image.fromarray(panel).save(temporary)
        log_picture(trainer, f"{split}/panels", path, panel)


def log_picture(trainer: Trainer, name: str, path: Path, picture: NDArray[np.uint8]) -> None:
    """Hand a picture, RGB uint8 (H, W, 3), and its file to the loggers that take pictures."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [str(path)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, picture, trainer.global_step, dataformats="HWC")


def header(width: int, names: Sequence[str]) -> NDArray[np.uint8]:
    """A line of names above columns of one width: RGB uint8, (HEADER, width, 3)."""
    strip = Image.new("RGB", (width, HEADER), "white")
    for column, name in enumerate(names):
        ImageDraw.Draw(strip).text((column * width // len(names) + 3, 1), name, fill="black", font_size=HEADER - 4)
    return np.asarray(strip)


def is_sparse(truth: Tensor) -> bool:
    """Whether so little of a truth is known that single pixels would not be seen, as LiDAR's."""
    return bool((truth > 0).float().mean() < 0.3)


def widened(truth: Tensor) -> Tensor:
    """Depth, (1, H, W), with each known pixel three pixels wide, the nearest in front."""
    near = F.max_pool2d(torch.where(truth > 0, 1 / truth.clamp_min(1e-3), 0)[None], 3, 1, 1)[0]
    return torch.where(near > 0, 1 / near.clamp_min(1e-6), 0)


def to_picture(image: Tensor) -> NDArray[np.uint8]:
    """RGB in [0, 1], (3, H, W) -> uint8, (H, W, 3)."""
    picture: NDArray[np.uint8] = (image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
    return picture


def in_metres(prediction: Tensor, truth: Tensor, predicts: str) -> Tensor:
    """A prediction, (1, h, w), as depth at the truth's size, (1, H, W), for a picture: inverse depth is fitted to that
    of the truth, or spread from 1 to 100 m where nothing of it is known.
    """
    size = (truth.shape[-2], truth.shape[-1])
    if predicts == "depth":
        return resize_depth(prediction[None].float(), size)[0]
    inverse = resize(prediction[None].float(), size)[0]
    known = truth > 0
    if known.any():
        scale, shift = scale_and_shift(inverse[known], 1 / truth[known])
        inverse = scale * inverse + shift
    else:
        inverse = (inverse - inverse.min()) / (inverse.max() - inverse.min()).clamp_min(1e-6)
    return 1 / inverse.nan_to_num().clamp_min(0.01)


def _row(image: Tensor, prediction: Tensor, truth: Tensor) -> NDArray[np.uint8]:
    """Image, prediction, truth and error side by side: RGB uint8, (H, 4 W, 3)."""
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
