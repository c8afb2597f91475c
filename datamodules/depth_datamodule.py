"""The data module: readers in given proportions for training, one after another for evaluation."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.augmentation import Augmentation, Sample
from datamodules.geometry import View
from datamodules.reader import OnCorrupt, Reader
from datamodules.sampler import MixtureSampler, batch_counts
from datamodules.samples import EvaluationFrames, TrainingFrames, collate, collate_padded, inverse_of
from datamodules.style import StyleTransfer

log = logging.getLogger(__name__)

_SPLITS = {"fit": "train", "validate": "val", "test": "test"}


class DepthDataModule(LightningDataModule):
    """Any mixture of readers, as samples of one size.

    Args:
        train: readers of the training frames.
        val: readers of the validation split.
        test: readers of the test split.
        proportions: share of each training reader in every batch, rounded to whole frames; by their number of frames
            if left out.
        size: (height, width) of what the network sees.
        batch_size: frames per batch and device.
        workers: processes that load, 0 for none.
        augmentation: of the training frames.
        style: style transfer of the synthetic training frames; none if left out.
        teacher: RGB in [0, 1], (B, 3, H, W), -> inverse depth up to scale and shift in (0, 1], (B, 1, H, W): what the
            frames without depth are to show, such as ``deploy.inference.Teacher``; none if left out, or where
            ``pocketdepth label`` wrote it.
        protocol: the evaluation protocol of validation and test, or several.
        on_corrupt: what happens to a frame that cannot be read: ``raise`` stops; ``skip`` reports it, takes another in
            training and counts it as missing in evaluation.
        shared_scenes: what happens where validation or test show a scene (a street, a drive, a recording) that is
            trained on: ``raise``, or ``warn`` for published lists that do so.

    Raises:
        FileNotFoundError: files that frames need are not there, unless corrupt frames are skipped.
        ValueError: a size or batch size that is not positive; as many proportions as readers are needed; a training
            frame or scene stands in an evaluation split, or a validation frame in the test split; a training reader
            whose depth is coarser than its images.
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
        teacher: nn.Module | None = None,
        protocol: str | list[str] = "kitti-eigen",
        on_corrupt: OnCorrupt = "raise",
        shared_scenes: Literal["raise", "warn"] = "raise",
    ) -> None:
        super().__init__()
        if min(size) < 1 or batch_size < 1:
            raise ValueError(f"size {list(size)} and batch_size {batch_size} must be positive")
        if proportions is not None and len(proportions) != len(train):
            raise ValueError(f"{len(train)} training readers but {len(proportions)} proportions {list(proportions)}")
        self.train, self.val, self.test = train, val, test
        self.proportions, self.batch_size, self.workers = proportions, batch_size, workers
        self.size: tuple[int, int] = (size[0], size[1])
        self.augmentation = augmentation or Augmentation()
        self.style, self.teacher, self.on_corrupt, self.shared_scenes = style, teacher, on_corrupt, shared_scenes
        self.protocols = [protocol] if isinstance(protocol, str) else protocol
        self._views: Mapping[str, Sequence[View]] | None = None

    def setup(self, stage: str) -> None:
        """Find the frames of a stage (``fit``, ``validate`` or ``test``); for training also refuse leaks and read the
        style images.
        """
        needed = {"fit": self.train, "validate": self.val, "test": self.test}[stage]
        if not needed:
            raise ValueError(f"the data section names no reader under {_SPLITS[stage]}")
        for reader in (*needed, *(self.val if stage == "fit" else ())):
            self._require_files(reader)
        if stage == "fit":
            coarse = [str(reader) for reader in self.train if reader.truth == "laser_grid"]
            if coarse:
                raise ValueError(
                    f"{coarse[0]} has a laser's grid and no depth for each pixel: it is for evaluation alone"
                )
            self.refuse_leaks()
            if self.style is not None:
                self.style.load(self.size, self.evaluated_paths(), self.on_corrupt)

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
        dataset = TrainingFrames(self.train, self.augmentation, self.size, self.on_corrupt)
        return DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, **self._loading())

    def set_evaluation_views(self, views: Mapping[str, Sequence[View]]) -> None:
        """Set the views of each frame, by the reader's ``truth``, that validation and test load; called by the
        LightningModule, which knows what the protocols need. The full frame if never called.
        """
        self._views = views

    def val_dataloader(self) -> DataLoader[Sample]:
        return self.evaluation_dataloader(self.val, views=self._views)

    def test_dataloader(self) -> DataLoader[Sample]:
        return self.evaluation_dataloader(self.test, views=self._views)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """On the device: bring the image to [0, 1], say which depth is known, ask the teacher of frames without any,
        and stylise in training.
        """
        batch = batch | {"image": batch["image"].float() / 255, "valid": batch["depth"] > 0}
        if self.teacher is not None:
            batch = batch | {"inv_depth": self._taught(batch, self.teacher)}
        if self.style is not None and "key" in batch:
            batch = self.style(batch)
        return batch

    def _taught(self, batch: dict[str, Any], teacher: nn.Module) -> Tensor:
        """The inverse depth of the labels or of the depth, and the teacher's of frames that have neither."""
        inv_depth: Tensor = batch["inv_depth"] if "inv_depth" in batch else inverse_of(batch["depth"])
        blank = ~(inv_depth > 0).flatten(1).any(1)
        if not blank.any():
            return inv_depth
        teacher.to(inv_depth.device)
        return inv_depth.index_put((blank.nonzero()[:, 0],), teacher(batch["image"][blank]))

    def _require_files(self, reader: Reader) -> None:
        try:
            reader.require_files()
        except FileNotFoundError as error:
            if self.on_corrupt == "raise":
                raise
            log.warning("%s", error)

    def _evaluated(self) -> Iterator[Reader]:
        """The readers of validation and, where they are on this machine, of test."""
        yield from self.val
        yield from self._there(self.test)

    def _there(self, readers: Sequence[Reader]) -> Iterator[Reader]:
        for reader in readers:
            with contextlib.suppress(FileNotFoundError):
                if len(reader):
                    yield reader

    def evaluated_paths(self) -> set[Path]:
        """The files of the validation and, where they are on this machine, of the test frames."""
        return {path.resolve() for reader in self._evaluated() for path in reader.paths}

    def refuse_leaks(self) -> None:
        """Raise ValueError where a frame or a scene is in training and in evaluation, or a frame in both validation and
        test.
        """
        validation = {path.resolve() for reader in self.val for path in reader.paths}
        twice = [path for reader in self._there(self.test) for path in reader.paths if path.resolve() in validation]
        if twice:
            raise ValueError(f"{len(twice)} validation frames are test frames too, e.g. {twice[0]}: use disjoint lists")
        evaluated = self.evaluated_paths()
        leaks = [path for reader in self.train for path in reader.paths if path.resolve() in evaluated]
        if leaks:
            raise ValueError(f"{len(leaks)} training frames are validation or test frames too, e.g. {leaks[0]}")
        trained = {scene for reader in self.train for scene in reader.scenes_found}
        shared = sorted({scene for reader in self._evaluated() for scene in reader.scenes_found} & trained)
        if shared:
            message = f"{len(shared)} scenes are trained on and evaluated on, e.g. {shared[0]}: split by scene"
            if self.shared_scenes == "raise":
                raise ValueError(f"{message}, or allow it with shared_scenes: warn")
            log.warning("%s", message)

    def evaluation_dataloader(
        self,
        readers: Sequence[Reader],
        *,
        size: tuple[int, int] | None = None,
        views: Mapping[str, Sequence[View]] | None = None,
        batch_size: int | None = None,
    ) -> DataLoader[Sample]:
        """Batches of the evaluation samples of all frames, in order; under DDP each frame is on one rank alone.

        Args:
            readers: of the frames.
            size: (height, width) of the images; the data module's if left out.
            views: views of each frame, by the reader's ``truth``; the full frame if left out.
            batch_size: frames per batch; the data module's if left out.

        Raises:
            ValueError: fewer frames than processes.
        """
        dataset = EvaluationFrames(readers, size or self.size, self.on_corrupt, views)
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if len(dataset) < ranks:
            raise ValueError(f"{len(dataset)} frames to evaluate cannot be split over {ranks} processes")
        mine = range(rank, len(dataset), ranks)  # a DistributedSampler would count some frames twice
        batch_size = batch_size or self.batch_size
        return DataLoader(dataset, batch_size=batch_size, sampler=mine, collate_fn=collate_padded, **self._loading())

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


def _single_thread(worker: int) -> None:
    cv2.setNumThreads(0)
