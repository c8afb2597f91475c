"""What a checkpoint records of its training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules import Photos, VirtualKitti
from lightning_app.training_data import TrainingSet, as_record, licence_of, read_training_data


def test_scenes_and_frames_are_found_again(data_root: Path) -> None:
    streets, photos = VirtualKitti("vkitti", scenes=["Scene01"]), Photos("photos")
    sets = [TrainingSet.of(streets, "data"), TrainingSet.of(photos, "looks of")]
    (scenes, frames) = read_training_data(as_record(sets)) or []
    assert [scenes, frames] == sets
    assert scenes.seen(VirtualKitti("vkitti")) == {"vkitti/Scene01"}
    assert scenes.seen(photos) == frames.seen(streets) == set()
    assert frames.seen(photos) == {str(path) for path in photos.paths}
    assert str(data_root) not in str(as_record(sets))  # no path of the machine
    other = data_root / "other"
    (data_root / "photos").rename(other)
    assert frames.seen(Photos("other")) == set()


@pytest.mark.parametrize(
    "record",
    [None, 3, [3], [{}], [{"name": "x"}], [None]]
    + [
        [{"name": "x", "use": "data", "frames": frames, "licence": licence, "scenes": scenes, "digests": digests}]
        for frames, licence, scenes, digests in (
            ("many", ["a", "b", None], [], torch.zeros(0)),
            (1, ["a", "b", "yes"], [], torch.zeros(0)),
            (1, ["a"], [], torch.zeros(0)),
            (1, ["a", "b", None], 3, torch.zeros(0)),
            (1, ["a", "b", None], [], [1]),
            (1, ["a", "b", None], [], torch.zeros(2, 2)),
        )
    ],
)
def test_a_damaged_record_is_none(record: Any) -> None:
    assert read_training_data(record) is None


def test_licences_of_class_paths() -> None:
    assert licence_of("datamodules.VirtualKitti") == VirtualKitti.licence
    for other in ("datamodules.Shards", "mine.VirtualKitti", "os.system", "datamodules.reader", "", "datamodules."):
        assert licence_of(other)[2] is None
