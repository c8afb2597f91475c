"""The data module: readers in given proportions for training, one after another for evaluation."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, default_collate

from datamodules.augmentation import Augmentation, Sample, resized
from datamodules.reader import DamagedFrameError, Frame, Reader
from datamodules.sampler import Draw, MixtureSampler, batch_counts
from datamodules.style import StyleTransfer

log = logging.getLogger(__name__)
Damaged = Literal["refuse", "skip"]


class DepthDataModule(LightningDataModule):
    """Any mixture of readers, as samples of one size.

    Args:
        train: readers of the training frames.
        val: readers of the frames to choose on.
        test: readers of the frames to report on.
        proportions: share of each training reader in every batch, rounded to whole frames; by their number of frames
            if left out.
        size: (height, width) of what the network sees.
        batch_size: frames per batch and device.
        workers: processes that load, 0 for none.
        augmentation: of the training frames.
        style: style transfer of the synthetic training frames; none if left out.
        protocol: the evaluation protocol of validation and test.
        damaged: what happens to a frame that cannot be read: ``refuse`` stops; ``skip`` reports it, takes another in
            training and counts it as missing in evaluation.

    Raises:
        ValueError: as many proportions as readers are needed; a training frame stands in an evaluation split.
    """

    def __init__(
        self,
        train: list[Reader],
        val: list[Reader],
        test: list[Reader],
        proportions: Sequence[float] | None = None,
        size: tuple[int, int] = (192, 640),
        batch_size: int = 8,
        workers: int = 2,
        augmentation: Augmentation | None = None,
        style: StyleTransfer | None = None,
        protocol: str = "kitti-eigen",
        damaged: Damaged = "refuse",
    ) -> None:
        super().__init__()
        if proportions is not None and len(proportions) != len(train):
            raise ValueError(f"{len(train)} training readers but {len(proportions)} proportions {list(proportions)}")
        self.train, self.val, self.test = train, val, test
        self.proportions, self.batch_size, self.workers = proportions, batch_size, workers
        self.size: tuple[int, int] = (size[0], size[1])
        self.augmentation = augmentation or Augmentation()
        self.style, self.protocol, self.damaged = style, protocol, damaged

    def setup(self, stage: str) -> None:
        """Find the frames of a stage; for training also refuse leaks and read the style images."""
        if stage != "fit":
            return
        evaluated = self._evaluated_paths()
        leaks = [path for reader in self.train for path in reader.paths if path.resolve() in evaluated]
        if leaks:
            raise ValueError(f"{len(leaks)} training frames are validation or test frames too, e.g. {leaks[0]}")
        if self.style is not None:
            self.style.load(self.size, evaluated)

    def train_dataloader(self) -> DataLoader[Sample]:
        lengths = [len(reader) for reader in self.train]
        counts = batch_counts(self.proportions or lengths, self.batch_size)
        ranks = self.trainer.world_size if self.trainer else 1
        sampler = MixtureSampler(
            lengths,
            counts,
            batches=max(1, sum(lengths) // (self.batch_size * ranks)),
            seed=torch.initial_seed(),
            position=self._position,
            rank=self.trainer.global_rank if self.trainer else 0,
            ranks=ranks,
        )
        dataset = _TrainingFrames(self.train, self.augmentation, self.size, self.damaged)
        return DataLoader(dataset, batch_sampler=sampler, **self._loading())

    def val_dataloader(self) -> DataLoader[Sample]:
        return self._evaluation(self.val)

    def test_dataloader(self) -> DataLoader[Sample]:
        return self._evaluation(self.test)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """On the device: bring the image to [0, 1], and stylise it in training."""
        batch = batch | {"image": batch["image"].float() / 255}
        if self.style is not None and "key" in batch:
            batch = self.style(batch)
        return batch

    def _evaluated_paths(self) -> set[Path]:
        """The images of the validation and, where they are on this machine, of the test frames."""
        paths = {path.resolve() for reader in self.val for path in reader.paths}
        for reader in self.test:
            with contextlib.suppress(FileNotFoundError):
                paths |= {path.resolve() for path in reader.paths}
        return paths

    def _evaluation(self, readers: list[Reader]) -> DataLoader[Sample]:
        dataset = _EvaluationFrames(readers, self.size, self.damaged)
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        mine = range(rank, len(dataset), ranks)  # a DistributedSampler would count some frames twice
        return DataLoader(
            dataset, batch_size=self.batch_size, sampler=mine, collate_fn=collate_padded, **self._loading()
        )

    def _loading(self) -> dict[str, Any]:
        pinned = torch.cuda.is_available()
        return {
            "num_workers": self.workers,
            "persistent_workers": self.workers > 0,
            "pin_memory": pinned,
            "worker_init_fn": _single_thread,
        }

    def _position(self) -> int:
        return self.trainer.fit_loop.epoch_loop.batch_progress.total.ready if self.trainer else 0


def collate_padded(samples: list[Sample]) -> dict[str, Any]:
    """Batch evaluation samples; the truths, of several sizes, are padded with 0 on the right and the bottom."""
    sizes = torch.stack([sample["full_size"] for sample in samples])
    height, width = sizes.amax(0).tolist()
    padded = [
        sample | {"full_depth": F.pad(sample["full_depth"], (0, width - int(w), 0, height - int(h)))}
        for sample, (h, w) in zip(samples, sizes, strict=True)
    ]
    return dict(default_collate(padded))


class _TrainingFrames(Dataset[Sample]):
    """Draws -> augmented samples."""

    def __init__(
        self, readers: list[Reader], augmentation: Augmentation, size: tuple[int, int], damaged: Damaged
    ) -> None:
        self.readers, self.augmentation, self.size, self.damaged = readers, augmentation, size, damaged

    def __getitem__(self, draw: Draw) -> Sample:
        reader = self.readers[draw.reader]
        for attempt in range(len(reader)):
            try:
                frame = reader[(draw.frame + attempt) % len(reader)]
                return self.augmentation(frame, self.size, draw.key)
            except DamagedFrameError as error:
                if self.damaged == "refuse":
                    raise
                log.warning("skipped: %s", error)
        raise DamagedFrameError(f"all {len(reader)} frames of {type(reader).__name__} are damaged")


class _EvaluationFrames(Dataset[Sample]):
    """All frames of the readers, in order; of a damaged one that is skipped no pixel is valid, so it is missing."""

    def __init__(self, readers: list[Reader], size: tuple[int, int], damaged: Damaged) -> None:
        self.readers, self.size, self.damaged = readers, size, damaged
        self.ends = np.cumsum([len(reader) for reader in readers])

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, index: int) -> Sample:
        which = int(np.searchsorted(self.ends, index, side="right"))
        reader = self.readers[which]
        offset = index - (int(self.ends[which - 1]) if which else 0)
        try:
            frame = reader[offset]
        except DamagedFrameError as error:
            if self.damaged == "refuse":
                raise
            log.warning("skipped: %s", error)
            height, width = self.size
            blank = np.zeros((height, width, 3), dtype=np.uint8)
            depth = np.zeros((height, width), dtype=np.float32)
            frame = Frame(blank, depth, np.eye(3, dtype=np.float32), "real", reader.paths[offset])
        return resized(frame, self.size)


def _single_thread(worker: int) -> None:
    cv2.setNumThreads(0)
