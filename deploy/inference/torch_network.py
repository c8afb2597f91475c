"""Checkpoints of PocketDepth's training."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.inference.model_info import UNITS, ModelInfo
from deploy.inference.network import Network
from lightning_app.checkpoints import read_checkpoint
from lightning_app.training.depth_module import DepthModule
from models import DepthNetwork


class Checkpoint(NamedTuple):
    """A trained network.

    Attributes:
        network: in evaluation mode.
        size: (height, width) that it was trained at.
        sha256: of the file.
        canonical_focal_px: of the canonical camera that its depth is for; None where there is none.
    """

    network: DepthNetwork
    size: tuple[int, int]
    sha256: str
    canonical_focal_px: float | None

    def info(self, size: tuple[int, int]) -> ModelInfo:
        """The metadata that every file of this network has, for inputs of (height, width)."""
        predicts = self.network.predicts
        return ModelInfo(
            size=size,
            predicts=predicts,
            units=UNITS[predicts],
            checkpoint_sha256=self.sha256,
            pocketdepth=version("pocketdepth"),
            canonical_focal_px=self.canonical_focal_px,
        )


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint, without its YAML, its data or its pretrained weights.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of PocketDepth.
    """
    size = read_checkpoint(path, "lightning_app.training.DepthModule")["pocketdepth"]["size"]
    module = DepthModule.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    network = module.network.eval().requires_grad_(False)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint(network, (int(size[0]), int(size[1])), sha256, module.canonical_focal_px)


class TorchNetwork(Network):
    """A checkpoint."""

    runtime = "torch"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.path = path
        opened = open_checkpoint(path)
        self.network, self.size, self.info = opened.network, opened.size, opened.info(opened.size)

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """RGB in [0, 1], (1, 3, height, width) -> depth in metres, (1, 1, h, w)."""
        with torch.no_grad():
            depth = self.network(torch.from_numpy(image).contiguous(memory_format=torch.channels_last))
        return cast(NDArray[np.float32], depth.numpy())
