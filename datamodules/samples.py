"""Datasets and collate functions: frames -> samples -> batches."""

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
    """Augmented training samples, indexed by the draws of :class:`~datamodules.sampler.MixtureSampler`."""

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
    """All frames of the readers, in order, each in its requested views.

    A skipped corrupt frame becomes a blank sample without known pixels, so evaluation counts it as missing.
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
    """Batch samples. Images are stored in the channels_last memory format.

    If a teacher labelled some of the samples, ``inv_depth`` of the others is the inverse of their depth. If some have
    neighbours, the others get blank ones.
    """
    if any("inv_depth" in sample for sample in samples):
        samples = [{"inv_depth": inverse_of(sample["depth"])} | sample for sample in samples]
    if any("views" in sample for sample in samples):
        most = max(len(sample.get("has_view", ())) for sample in samples)
        samples = [sample | _padded_views(sample, most) for sample in samples]
    batch = default_collate([sample | {"image": sample["image"].permute(1, 2, 0)} for sample in samples])
    return dict(batch | {"image": batch["image"].permute(0, 3, 1, 2)})


def collate_padded(samples: list[Sample]) -> dict[str, Any]:
    """Batch evaluation samples. ``full_depth`` is padded with 0 on the right and bottom to a common size."""
    sizes = torch.stack([sample["full_size"] for sample in samples])
    height, width = sizes.amax(0).tolist()
    return collate(
        [
            sample | {"full_depth": F.pad(sample["full_depth"], (0, width - int(w), 0, height - int(h)))}
            for sample, (h, w) in zip(samples, sizes, strict=True)
        ]
    )


def _padded_views(sample: Sample, most: int) -> Sample:
    """The views of a sample, padded with blank neighbours to a number of neighbours."""
    image, missing = sample["image"], most - len(sample.get("has_view", ()))
    if not missing:
        return {}
    blank = {
        "views": image.new_zeros(missing, *image.shape),
        "view_intrinsics": sample["intrinsics"].expand(missing, 3, 3),
        "poses": torch.eye(4).expand(missing, 4, 4),
        "pose_known": torch.ones(missing, dtype=torch.bool),
        "has_view": torch.zeros(missing, dtype=torch.bool),
    }
    if "views" not in sample:
        return blank | {"views": torch.cat([image[None], blank["views"]])}
    return {name: torch.cat([sample[name], values]) for name, values in blank.items()}


def inverse_of(depth: Tensor) -> Tensor:
    """Inverse depth of a depth map; 0 where unknown."""
    return torch.where(depth > 0, 1 / depth, 0)


def content_and_style(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Split a batch into content and style images.

    Returns:
        The synthetic images and one real image for each of them, both (N, 3, H, W).

    Raises:
        ValueError: the batch has no synthetic or no real frames.
    """
    synthetic = torch.tensor([domain == "synthetic" for domain in batch["domain"]])
    if synthetic.all() or not synthetic.any():
        raise ValueError("training a stylizer needs synthetic and real frames: list a reader of each under data.train")
    image: Tensor = batch["image"].contiguous(memory_format=torch.channels_last)
    content, style = image[synthetic], image[~synthetic]
    return content, style[torch.arange(len(content)) % len(style)]
