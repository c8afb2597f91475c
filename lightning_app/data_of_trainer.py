"""The data module of a running trainer, typed."""

from __future__ import annotations

from pytorch_lightning import Trainer

from datamodules import DepthDataModule


def data_module(trainer: Trainer) -> DepthDataModule:
    """The data module that ``fit``, ``validate`` or ``test`` was given."""
    data: DepthDataModule = trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it without declaring it
    return data
