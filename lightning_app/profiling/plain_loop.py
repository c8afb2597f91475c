"""Training step in plain PyTorch, as a reference for Lightning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn

from lightning_app.canonical_camera import to_canonical
from lightning_app.data_of_trainer import data_module
from lightning_app.training.depth_module import DepthModule

Batch = dict[str, Any]


def bare_step(trainer: Trainer, module: DepthModule) -> Callable[[Batch], Tensor]:
    """Build a plain PyTorch training step on copies of a module's network and loss.

    Optimizer, schedule, precision, gradient clipping and transforms on the device are the same; nothing is logged.

    Args:
        trainer: trainer of the module.
        module: module to copy.

    Returns:
        A function that trains on a batch of the loader and returns the loss.
    """
    network = copy.deepcopy(module.network)
    loss: Any = copy.deepcopy(module.loss)
    multiscale = torch.compile(network.multiscale) if module.hparams["compile"] else network.multiscale
    parameters = [each for each in network.parameters() if each.requires_grad]
    configured: Any = module.optimisation.configure(parameters, trainer.estimated_stepping_batches)
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    scaler = torch.amp.GradScaler(module.device.type, enabled=trainer.precision == "16-mixed")
    transform = data_module(trainer).on_after_batch_transfer

    def step(batch: Batch) -> Tensor:
        batch = {
            key: each.to(module.device, non_blocking=True) if torch.is_tensor(each) else each
            for key, each in batch.items()
        }
        batch = transform(batch, 0)
        optimizer.zero_grad()
        with trainer.precision_plugin.forward_context():
            predictions = multiscale(batch["image"].contiguous(memory_format=torch.channels_last))
            canonical = to_canonical(batch, module.canonical_focal_px)
            value = loss(predictions, canonical | {"predicts": network.predicts})["loss"]
        scaler.scale(value).backward()
        if trainer.gradient_clip_val:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(parameters, trainer.gradient_clip_val)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        detached: Tensor = value.detach()
        return detached

    return step
