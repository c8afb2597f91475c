"""Checkpoints written by PocketDepth's training."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo
from deploy.inference.network import Network
from lightning_app.checkpoints import Checkpoint


class TorchNetwork(Network):
    """A depth network in a checkpoint, on the CPU.

    Args:
        path: checkpoint (.ckpt).
        threads: number of threads of torch in this process. Default: chosen by torch.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: not a checkpoint of PocketDepth.
    """

    runtime = "torch"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.path, self.threads = path, threads
        self.checkpoint = Checkpoint.open(path)
        self.network, self.size = self.checkpoint.network, self.checkpoint.size
        self.info = ModelInfo.of_checkpoint(self.checkpoint, self.size)

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict from RGB in [0, 1], (1, 3, height, width). Returns depth or inverse depth, (1, 1, h, w)."""
        with torch.no_grad():
            depth = self.network(torch.from_numpy(image).contiguous(memory_format=torch.channels_last))
        return cast(NDArray[np.float32], depth.numpy())
