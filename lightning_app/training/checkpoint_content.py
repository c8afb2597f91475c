"""What a checkpoint says beside its weights, so that it opens without the script, the data and the loss."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from pytorch_lightning import LightningModule
from torch import nn

from datamodules import DepthDataModule
from lightning_app.training_data import TrainingSet, as_record, training_sets
from models.description import describe, import_path

log = logging.getLogger(__name__)


def complete(
    checkpoint: dict[str, Any],
    module: LightningModule,
    size: tuple[int, int] | None,
    seen: Sequence[TrainingSet] = (),
) -> None:
    """Add size and training data to a checkpoint, and replace objects in its hyper-parameters by descriptions.

    Hyper-parameters hold objects if the module was made in a script. They would be pickled, and opening pickled objects
    runs code. On the command line they are ``class_path`` and ``init_args`` already.

    Args:
        checkpoint: content of the checkpoint, changed in place.
        module: the module that is saved.
        size: training size, (height, width); None if no batch was seen.
        seen: training data of the checkpoint that the run started from.
    """
    settings, reasons = {}, {}
    for key, value in checkpoint.get("hyper_parameters", {}).items():
        try:
            settings[key] = describe(value)
        except ValueError as error:
            reasons[key] = str(error)
            settings[key] = _class_name(value) if key != "network" else None
    if "network" in reasons:
        _warn(f"{type(module.network).__name__} cannot be built from its checkpoint alone: {reasons['network']}")
    checkpoint["hyper_parameters"] = settings
    checkpoint["pocketdepth"] = {"size": size and list(size), "not_described": reasons}
    data = getattr(module.trainer, "datamodule", None)
    own = _training_data(data) if isinstance(data, DepthDataModule) else None
    if own is not None:
        known = [*seen, *(each for each in own if each not in seen)]
        checkpoint["pocketdepth"]["training_data"] = as_record(known)


@lru_cache(maxsize=1)
def _training_data(data: DepthDataModule) -> list[TrainingSet] | None:
    """What a data module trains on; once, as it visits every frame. None if that fails."""
    try:
        return training_sets(data)
    except Exception as error:  # a user's own reader may raise anything, which must not cost the checkpoint
        log.warning("the checkpoints do not record their training data (%s: %s)", type(error).__name__, error)
        return None


@cache
def _warn(message: str) -> None:
    log.warning("%s", message)


def _class_name(value: Any) -> str:
    """Name of a loss, optimizer or schedule whose arguments are unknown; only model cards show it."""
    try:
        return import_path(type(value) if isinstance(value, nn.Module) else value)
    except (ValueError, AttributeError):
        return type(value).__name__
