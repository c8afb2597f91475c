"""Draws and places -> samples -> batches."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset, default_collate

from datamodules.augmentation import Augmentation, Sample, resized
from datamodules.geometry import View
from datamodules.reader import CorruptFrameError, Frame, OnCorrupt, Reader
from datamodules.sampler import Draw

log = logging.getLogger(__name__)


class TrainingFrames(Dataset[Sample]):
    """Draws -> augmented samples."""

    def __init__(
        self, readers: list[Reader], augmentation: Augmentation, size: tuple[int, int], on_corrupt: OnCorrupt
    ) -> None:
        self.readers, self.augmentation, self.size, self.on_corrupt = readers, augmentation, size, on_corrupt

    def __getitem__(self, draw: Draw) -> Sample:
        reader = self.readers[draw.reader]
        for attempt in range(len(reader)):
            try:
                frame = reader[(draw.frame + attempt) % len(reader)]
                return self.augmentation(frame, self.size, draw.key)
            except CorruptFrameError as error:
                if self.on_corrupt == "raise":
                    raise
                log.warning("skipped: %s", error)
        raise CorruptFrameError(f"all {len(reader)} frames of {type(reader).__name__} are corrupt")


class EvaluationFrames(Dataset[Sample]):
    """All frames of the readers, in order, each in the views that are asked for; of a corrupt frame that is skipped no
    pixel is known, so it is missing.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        size: tuple[int, int],
        on_corrupt: OnCorrupt,
        views: Mapping[str, Sequence[View]] | None,
    ) -> None:
        self.size, self.on_corrupt = size, on_corrupt
        self.places: list[tuple[Reader, int, View]] = [
            (reader, index, view)
            for reader in readers
            for index in range(len(reader))
            for view in (("full",) if views is None else views.get(reader.truth, ()))
        ]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> Sample:
        reader, index, view = self.places[place]
        try:
            sample = resized(reader[index], self.size, view)
        except CorruptFrameError as error:
            if self.on_corrupt == "raise":
                raise
            log.warning("skipped: %s", error)
            blank, depth = np.zeros((*self.size, 3), dtype=np.uint8), np.zeros(self.size, dtype=np.float32)
            frame = Frame(blank, depth, np.eye(3, dtype=np.float32), "real", reader.paths[index])
            sample = resized(frame, self.size) | {"view": view}
        return sample | {"truth": reader.truth}


def collate(samples: list[Sample]) -> dict[str, Any]:
    """Batch samples; in memory images keep the order in which decoders write and networks read, channels last. Where a
    teacher labelled some, the others are given the inverse of their depth.
    """
    if any("inv_depth" in sample for sample in samples):
        samples = [{"inv_depth": inverse_of(sample["depth"])} | sample for sample in samples]
    batch = default_collate([sample | {"image": sample["image"].permute(1, 2, 0)} for sample in samples])
    return dict(batch | {"image": batch["image"].permute(0, 3, 1, 2)})


def collate_padded(samples: list[Sample]) -> dict[str, Any]:
    """Batch evaluation samples; the truths, of several sizes, are padded with 0 on the right and the bottom."""
    sizes = torch.stack([sample["full_size"] for sample in samples])
    height, width = sizes.amax(0).tolist()
    return collate(
        [
            sample | {"full_depth": F.pad(sample["full_depth"], (0, width - int(w), 0, height - int(h)))}
            for sample, (h, w) in zip(samples, sizes, strict=True)
        ]
    )


def inverse_of(depth: Tensor) -> Tensor:
    """Inverse depth, 0 where unknown."""
    return torch.where(depth > 0, 1 / depth, 0)


def content_and_style(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The synthetic frames of a batch, and a real one for each: (N, 3, H, W) both.

    Raises:
        ValueError: there are none of either.
    """
    synthetic = torch.tensor([domain == "synthetic" for domain in batch["domain"]])
    if synthetic.all() or not synthetic.any():
        raise ValueError("a stylizer is trained on synthetic and real frames: name a reader of each under data.train")
    image: Tensor = batch["image"].contiguous(memory_format=torch.channels_last)
    content, style = image[synthetic], image[~synthetic]
    return content, style[torch.arange(len(content)) % len(style)]
