"""Training in a second: fake data (the fixture ``data_root``), a tiny network and a plain trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer, seed_everything

from datamodules import DepthDataModule, KittiRaw, VirtualKitti


def tiny_data(**changes: Any) -> DepthDataModule:
    """Twelve training frames in batches of four, three validation frames. Seeds all that is made after it."""
    seed_everything(0, verbose=False)
    settings: dict[str, Any] = {
        "train": [VirtualKitti("vkitti")],
        "val": [KittiRaw("kitti", split="kitti/val.txt", depth="forward_x")],
        "test": [],
        "size": (64, 96),
        "batch_size": 4,
        "workers": 0,
    }
    return DepthDataModule(**settings | changes)


def tiny_trainer(root: Path, *callbacks: Callback, **options: Any) -> Trainer:
    """A trainer as a script makes it, on the CPU."""
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        default_root_dir=root,
        callbacks=list(callbacks),
        **options,
    )
