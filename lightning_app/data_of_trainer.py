"""Typed access to the data module of a trainer."""

from __future__ import annotations

from pytorch_lightning import Trainer

from datamodules import DepthDataModule


def data_module(trainer: Trainer) -> DepthDataModule:
    """The data module that was passed to ``fit``, ``validate`` or ``test``."""
    data: DepthDataModule = trainer.datamodule  # type: ignore[attr-defined]  # not declared by Lightning
    return data
