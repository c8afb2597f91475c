"""Style transfer without training, to measure its cost."""

from __future__ import annotations

from collections.abc import Callable

import torch

from datamodules import StyleTransfer
from lightning_app.profiling.plain_loop import Batch


def style_step(style: StyleTransfer, device: torch.device) -> Callable[[Batch], None]:
    """Build a function that stylizes a batch of the loader, as the data module does before each training step."""

    def step(batch: Batch) -> None:
        style(batch | {"image": batch["image"].to(device, non_blocking=True).float() / 255})

    return step
