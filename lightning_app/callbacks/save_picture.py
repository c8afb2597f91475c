"""Save pictures of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger

from lightning_app.files import atomic_write


def save_picture(trainer: Trainer, prefix: str, key: str, picture: NDArray[np.uint8]) -> None:
    """Write a picture to ``panels/<prefix>-<step>.png`` in the run's folder, and to the W&B and TensorBoard loggers.

    Args:
        trainer: trainer of the run.
        prefix: prefix of the file name.
        key: name in the loggers.
        picture: RGB uint8, (H, W, 3).
    """
    path = Path(trainer.default_root_dir) / "panels" / f"{prefix}-{trainer.global_step:06d}.png"
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(key, [str(path)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(key, picture, trainer.global_step, dataformats="HWC")
