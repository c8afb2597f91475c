"""Samplers: the frames of a batch depend only on the seed and the position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from torch.utils.data import Sampler, SequentialSampler


class Draw(NamedTuple):
    """Index of one sample in a batch.

    Attributes:
        reader: index of the reader.
        frame: index of the frame in the reader.
        key: 64-bit seed of every random draw for the sample.
    """

    reader: int
    frame: int
    key: int


class MixtureSampler(Sampler[list[Draw]]):
    """Samples batches with a fixed number of frames from each reader, without replacement until a reader is exhausted.

    Batches form an endless stream. A batch depends only on the seed and its position, so a resumed run continues with
    the same batches. Each rank of a distributed run draws different positions.

    Args:
        lengths: number of frames of each reader.
        counts: number of frames of each reader in a batch.
        batches: number of batches per epoch.
        seed: random seed of the stream.
        position: function that returns the number of batches of the stream consumed before this epoch.
        rank: rank of this process.
        ranks: number of processes.
        repeat: number of batches after which the stream starts again; 0 for a stream that does not repeat.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        counts: Sequence[int],
        batches: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        ranks: int = 1,
        repeat: int = 0,
    ) -> None:
        self.lengths, self.counts, self.batches, self.seed = lengths, counts, batches, seed
        self.position, self.rank, self.ranks, self.repeat = position, rank, ranks, repeat
        self._order = lru_cache(maxsize=2 * len(lengths))(self._shuffle)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        start = self.position()
        for step in range(start, start + self.batches):
            yield self.batch(step)

    def batch(self, step: int) -> list[Draw]:
        """The batch of this rank at position ``step``."""
        place = (step % self.repeat if self.repeat else step) * self.ranks + self.rank
        keys = np.random.SeedSequence((self.seed, place)).generate_state(sum(self.counts), np.uint64) >> 1
        draws: list[Draw] = []
        for reader, count in enumerate(self.counts):
            for number in range(place * count, (place + 1) * count):
                turn, offset = divmod(number, self.lengths[reader])
                index = int(self._order(reader, turn)[offset])
                draws.append(Draw(reader, index, int(keys[len(draws)])))
        return draws

    def _shuffle(self, reader: int, turn: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, reader, turn)).permutation(self.lengths[reader])


class RankSampler(SequentialSampler):
    """The indices of one rank, in order. Unlike DistributedSampler it pads no rank with frames of others.

    Args:
        frames: the dataset.
        rank: rank of this process.
        ranks: number of processes.
    """

    def __init__(self, frames: Sized, rank: int, ranks: int) -> None:
        super().__init__(frames)
        self.indices = range(rank, len(frames), ranks)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)


def training_sampler(
    lengths: Sequence[int], proportions: Sequence[float] | None, batch_size: int, trainer: Trainer | None
) -> MixtureSampler:
    """The sampler of a run: an epoch has as many frames as the readers, and a resumed run continues the stream.

    With the trainer's ``overfit_batches`` every epoch has the same batches, with the same augmentation.

    Args:
        lengths: number of frames of each training reader.
        proportions: share of each reader; proportional to ``lengths`` if None.
        batch_size: number of frames per batch and process.
        trainer: trainer of the run; None for one process at the start of a run.

    Raises:
        ValueError: see :func:`batch_counts`.
    """
    counts, seed = batch_counts(proportions or lengths, batch_size), torch.initial_seed()
    if trainer is None:
        return MixtureSampler(lengths, counts, max(1, sum(lengths) // batch_size), seed, lambda: 0)
    batches = max(1, sum(lengths) // (batch_size * trainer.world_size))
    overfit = trainer.overfit_batches  # type: ignore[attr-defined]  # not declared by Lightning
    return MixtureSampler(
        lengths,
        counts,
        batches,
        seed,
        position=lambda: trainer.fit_loop.epoch_loop.batch_progress.total.ready,
        rank=trainer.global_rank,
        ranks=trainer.world_size,
        repeat=min(batches, overfit) if isinstance(overfit, int) else int(batches * overfit),
    )


def batch_counts(proportions: Sequence[float], batch_size: int) -> list[int]:
    """Number of frames of each reader in a batch: the proportions, rounded by the largest remainder method.

    Raises:
        ValueError: a proportion is not positive, or too small for one frame per batch.
    """
    if not all(share > 0 for share in proportions):
        raise ValueError(f"proportions {list(proportions)} must be positive")
    exact = [batch_size * share / sum(proportions) for share in proportions]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda reader: counts[reader] - exact[reader])
    for reader in by_remainder[: batch_size - sum(counts)]:
        counts[reader] += 1
    if 0 in counts:
        raise ValueError(f"proportions {list(proportions)} leave a reader without frames in a batch of {batch_size}")
    return counts
