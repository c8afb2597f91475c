"""Style transfer on the batch: synthetic frames get the look of real ones."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.reader import Damaged, DamagedFrameError, Reader

log = logging.getLogger(__name__)


class StyleTransfer:
    """Stylises synthetic frames with randomly drawn real ones, on the batch's device; nothing but ``image`` changes.

    Args:
        network: called as ``network(content, style, strength)`` on RGB in [0, 1]; given by class_path,
            e.g. ``models.ImageAdaIN``.
        images: the style images; they are held in memory at the batch's size.
        probability: share of the synthetic frames that change.
        strength: lowest and highest strength; drawn evenly between them.
        max_images: how many images are held at most, spread evenly over the reader.

    Raises:
        ValueError: a probability or strength outside [0, 1].
    """

    def __init__(
        self,
        network: nn.Module,
        images: Reader,
        probability: float = 0.8,
        strength: tuple[float, float] = (0.5, 1.0),
        max_images: int = 256,
    ) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"style probability {probability} is not in [0, 1]")
        if not 0 <= strength[0] <= strength[1] <= 1:
            raise ValueError(f"style strength {list(strength)} is not an ascending pair in [0, 1]")
        self.network, self.images = network.eval(), images
        self.probability, self.strength, self.max_images = probability, strength, max_images
        self._pool = torch.empty(0)

    def load(self, size: tuple[int, int], evaluated: set[Path], damaged: Damaged = "refuse") -> None:
        """Read the style images at (height, width).

        Raises:
            DamagedFrameError: a damaged image, unless ``damaged`` is ``skip``, or not one whole image.
            ValueError: a style image is a frame of the validation or test split.
        """
        shared = [path for path in self.images.paths if path.resolve() in evaluated]
        if shared:
            raise ValueError(f"{len(shared)} style images are frames of the evaluation split, e.g. {shared[0]}")
        step = max(1, -(-len(self.images) // self.max_images))
        pool = []
        for index in range(0, len(self.images), step):
            try:
                frame = self.images[index]
            except DamagedFrameError as error:
                if damaged == "refuse":
                    raise
                log.warning("skipped: %s", error)
                continue
            image = torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None].float()
            pool.append(F.interpolate(image, size, mode="bilinear", antialias=True).round().byte())
        if not pool:
            raise DamagedFrameError(f"{self.images}: every style image is damaged")
        self._pool = torch.cat(pool)

    @torch.no_grad()
    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Stylise ``batch["image"]``, float in [0, 1]; what is drawn depends on the samples' keys alone."""
        image: Tensor = batch["image"]
        draws = torch.stack([_draws(int(key)) for key in batch["key"].tolist()])
        synthetic = torch.tensor([domain == "synthetic" for domain in batch["domain"]])
        chosen = (synthetic & (draws[:, 0] < self.probability)).nonzero()[:, 0]
        if not len(chosen):
            return batch
        low, high = self.strength
        strength = (low + (high - low) * draws[chosen, 1]).to(image.device)
        style = self._pool[(draws[chosen, 2] * len(self._pool)).long()].to(image.device).float() / 255
        self.network.to(image.device)
        chosen = chosen.to(image.device)
        stylised = self.network(image[chosen], style, strength)
        return batch | {"image": image.index_copy(0, chosen, stylised.to(image.dtype))}


def _draws(key: int) -> Tensor:
    """Three numbers in [0, 1): whether, how strongly, which style."""
    return torch.rand(3, generator=torch.Generator().manual_seed(key))
