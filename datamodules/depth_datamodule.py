"""LightningDataModule of a mixture of readers."""

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
from datamodules.sampler import RankSampler, training_sampler
from datamodules.samples import EvaluationFrames, TrainingFrames, collate, collate_padded, inverse_of
from datamodules.style import StyleTransfer

log = logging.getLogger(__name__)

_SPLITS = {"fit": "train", "validate": "val", "test": "test"}


class DepthDataModule(LightningDataModule):
    """Batches of samples of one size, from one or several readers per split.

    Training mixes the readers in fixed proportions. Evaluation reads them one after another.

    Args:
        train: readers of the training split.
        val: readers of the validation split.
        test: readers of the test split.
        proportions: share of each training reader in every batch, rounded to whole frames; by default proportional to
            their number of frames.
        size: (height, width) of the network's input.
        batch_size: number of frames per batch and device.
        workers: number of loader processes; 0 loads in the main process.
        augmentation: augmentation of the training frames; the defaults of :class:`Augmentation` if left out.
        style: style transfer for the synthetic training frames; off by default.
        teacher: network that labels frames without depth during training, e.g. ``deploy.inference.Teacher``. It maps
            RGB in [0, 1], (B, 3, H, W), to inverse depth up to scale and shift in (0, 1], (B, 1, H, W). Not needed for
            labels written by ``pocketdepth label``.
        protocol: evaluation protocol of validation and test, or a list of protocols.
        on_corrupt: handling of corrupt frames. ``raise`` raises an error. ``skip`` logs a warning; training then uses
            another frame, and evaluation counts the frame as missing.
        shared_scenes: handling of scenes (a street, a drive, a recording) that are in training and in evaluation:
            ``raise``, or ``warn`` for published splits that share scenes.

    Raises:
        FileNotFoundError: files of frames are missing and ``on_corrupt`` is ``raise``.
        ValueError: ``size`` or ``batch_size`` is not positive; the number of proportions differs from the number of
            training readers; splits share frames or scenes; a training reader has coarser depth than its images.
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
        """Find the frames of a stage (``fit``, ``validate`` or ``test``).

        For ``fit``, also check that the splits are disjoint and load the style images.
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
                    f"{coarse[0]} has a coarse laser grid instead of per-pixel depth: use it for evaluation only"
                )
            self.refuse_leaks()
            if self.style is not None:
                self.style.load(self.size, self.evaluated_paths(), self.on_corrupt)

    def train_dataloader(self) -> DataLoader[Sample]:
        lengths = [len(reader) for reader in self.train]
        sampler = training_sampler(lengths, self.proportions, self.batch_size, self.trainer)
        dataset = TrainingFrames(self.train, self.augmentation, self.size, self.on_corrupt)
        return DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, **self._loading())

    def set_evaluation_views(self, views: Mapping[str, Sequence[View]]) -> None:
        """Set the views that validation and test load; by default the full frame.

        The LightningModule calls it with the views that its protocols need.

        Args:
            views: views of each frame, by the ``truth`` of its reader.
        """
        self._views = views

    def val_dataloader(self) -> DataLoader[Sample]:
        return self.evaluation_dataloader(self.val, views=self._views)

    def test_dataloader(self) -> DataLoader[Sample]:
        return self.evaluation_dataloader(self.test, views=self._views)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Convert images to float in [0, 1], add ``valid`` and teacher labels, and stylise training images."""
        images = {name: batch[name].float() / 255 for name in ("image", "views") if name in batch}
        batch = batch | images | {"valid": batch["depth"] > 0}
        if self.teacher is not None:
            batch = batch | {"inv_depth": self._label(batch, self.teacher)}
        if self.style is not None and "key" in batch:
            batch = self.style(batch)
        return batch

    def _label(self, batch: dict[str, Any], teacher: nn.Module) -> Tensor:
        """Inverse depth of the labels or the ground truth; predicted by the teacher for frames without either."""
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
        """Readers of the validation split and those of the test split whose data is available."""
        yield from self.val
        yield from self._available(self.test)

    def _available(self, readers: Sequence[Reader]) -> Iterator[Reader]:
        """Readers whose data exists on this machine."""
        for reader in readers:
            with contextlib.suppress(FileNotFoundError):
                if len(reader):
                    yield reader

    def evaluated_paths(self) -> set[Path]:
        """Resolved image paths of the validation split and of the available part of the test split."""
        return {path.resolve() for reader in self._evaluated() for path in reader.paths}

    def refuse_leaks(self) -> None:
        """Check that the splits are disjoint.

        Raises:
            ValueError: a frame is in two splits, or a scene is in training and in evaluation.
        """
        validation = {path.resolve() for reader in self.val for path in reader.paths}
        twice = [path for reader in self._available(self.test) for path in reader.paths if path.resolve() in validation]
        if twice:
            raise ValueError(
                f"{len(twice)} validation frames are also test frames, e.g. {twice[0]}: use disjoint splits"
            )
        evaluated = self.evaluated_paths()
        leaks = [path for reader in self.train for path in reader.paths if path.resolve() in evaluated]
        if leaks:
            raise ValueError(
                f"{len(leaks)} training frames are also validation or test frames, e.g. {leaks[0]}: use disjoint splits"
            )
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
        """Loader of the evaluation samples of all frames, in order. Under DDP each frame is on exactly one rank.

        Args:
            readers: readers of the frames.
            size: (height, width) of the images; by default that of the data module.
            views: views of each frame, by the ``truth`` of its reader; by default the full frame.
            batch_size: frames per batch; by default that of the data module.

        Raises:
            ValueError: there are fewer frames than processes.
        """
        dataset = EvaluationFrames(readers, size or self.size, self.on_corrupt, views)
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if not len(dataset):
            raise ValueError("no frame to evaluate: name a reader under data.val, or under data.test for `test`")
        if len(dataset) < ranks:
            raise ValueError(f"{len(dataset)} frames to evaluate cannot be split over {ranks} processes")
        return DataLoader(
            dataset,
            batch_size=batch_size or self.batch_size,
            sampler=RankSampler(dataset, rank, ranks),
            collate_fn=collate_padded,
            **self._loading(),
        )

    def _loading(self) -> dict[str, Any]:
        pinned = torch.cuda.is_available()
        return {
            "num_workers": self.workers,
            "persistent_workers": self.workers > 0,
            "pin_memory": pinned,
            "worker_init_fn": _single_thread,
        }


def _single_thread(worker: int) -> None:
    cv2.setNumThreads(0)
