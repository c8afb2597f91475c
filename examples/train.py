"""Train a network in a plain script, without a YAML: ``python examples/train.py``.

The checkpoint opens like any other: ``pocketdepth predict street.ckpt street.jpg``.
"""

from __future__ import annotations

from functools import partial

import torch
from pytorch_lightning import Trainer, seed_everything

from datamodules import DepthDataModule, VirtualKitti
from lightning_app.training import DepthModule
from losses import SILog
from models import DepthNet


def main(steps: int = 200, size: tuple[int, int] = (96, 320), output: str = "street.ckpt") -> None:
    """Train on the streets of the quickstart and write a checkpoint."""
    seed_everything(0)
    data = DepthDataModule(
        train=[VirtualKitti("quickstart/streets/train")],  # below the data root, $POCKETDEPTH_DATA or data/
        val=[VirtualKitti("quickstart/streets/val")],
        test=[],
        size=size,
        workers=0,
    )
    network = DepthNet(encoder="mobilenetv4_conv_small")
    module = DepthModule(network, SILog(), optimizer=partial(torch.optim.AdamW, lr=1e-3))
    trainer = Trainer(max_steps=steps, logger=False, enable_checkpointing=False, accelerator="auto")
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(output)
    print(f"written: {output}")


if __name__ == "__main__":
    main()
