from __future__ import annotations

import pytest

from datamodules.sampler import MixtureSampler, batch_counts


def sampler(position: int = 0, rank: int = 0, ranks: int = 1, seed: int = 0) -> MixtureSampler:
    return MixtureSampler([12, 3], [3, 1], batches=6, seed=seed, position=lambda: position, rank=rank, ranks=ranks)


def test_batches_hold_the_proportions_and_no_frame_repeats_early() -> None:
    batches = list(sampler())
    assert all([draw.reader for draw in batch] == [0, 0, 0, 1] for batch in batches)
    first_turn = [draw.frame for batch in batches[:4] for draw in batch if draw.reader == 0]
    assert sorted(first_turn) == list(range(12))
    keys = [draw.key for batch in batches for draw in batch]
    assert len(set(keys)) == len(keys)


def test_stream_goes_on_where_it_stopped() -> None:
    assert list(sampler())[2:] == list(sampler(position=2))[:4]
    assert list(sampler(seed=1)) != list(sampler())


def test_ranks_share_nothing() -> None:
    one, two = (list(sampler(rank=rank, ranks=2)) for rank in (0, 1))
    frames = [draw.frame for batch in (*one[:2], *two[:2]) for draw in batch if draw.reader == 0]
    assert sorted(frames) == list(range(12))
    assert not {draw.key for batch in one for draw in batch} & {draw.key for batch in two for draw in batch}


@pytest.mark.parametrize(
    ("proportions", "size", "counts"), [([0.75, 0.25], 8, [6, 2]), ([1, 1, 1], 8, [3, 3, 2]), ([480, 40], 8, [7, 1])]
)
def test_proportions_become_whole_frames(proportions: list[float], size: int, counts: list[int]) -> None:
    assert batch_counts(proportions, size) == counts


def test_reader_without_a_frame_in_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="leave a reader without frames in a batch of 8"):
        batch_counts([480, 20], 8)
