"""Which frames stand in which batch: a function of seed and position, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler


class Draw(NamedTuple):
    """One place in a batch: which reader, which of its frames, and the key of every random draw for it."""

    reader: int
    frame: int
    key: int


class MixtureSampler(Sampler[list[Draw]]):
    """Batches that hold each reader's frames in fixed numbers; a reader is gone through whole before it repeats.

    The batch at a position of the endless stream depends on the seed alone, so that a resumed run goes on where it
    stopped, and ranks of a distributed run share nothing.

    Args:
        lengths: frames per reader.
        counts: frames of each reader in a batch.
        batches: batches per epoch.
        seed: of the stream.
        position: says how many batches of the stream were trained on before this epoch.
        rank, ranks: this process among those of a distributed run.
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
    ) -> None:
        self.lengths, self.counts, self.batches, self.seed = lengths, counts, batches, seed
        self.position, self.rank, self.ranks = position, rank, ranks
        self._order = lru_cache(maxsize=2 * len(lengths))(self._shuffle)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        start = self.position()
        for step in range(start, start + self.batches):
            yield self.batch(step)

    def batch(self, step: int) -> list[Draw]:
        """The batch of this rank at a position of the stream."""
        place = step * self.ranks + self.rank
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


def batch_counts(proportions: Sequence[float], batch_size: int) -> list[int]:
    """Frames of each reader in a batch: the proportions, rounded so that they fill it (largest remainder).

    Raises:
        ValueError: a proportion that is not positive, or too small to get one frame.
    """
    if not all(share > 0 for share in proportions):
        raise ValueError(f"proportions {list(proportions)} must be positive")
    exact = [batch_size * share / sum(proportions) for share in proportions]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda reader: counts[reader] - exact[reader])
    for reader in by_remainder[: batch_size - sum(counts)]:
        counts[reader] += 1
    if 0 in counts:
        raise ValueError(f"proportions {list(proportions)} give no frame to some reader in a batch of {batch_size}")
    return counts
