from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from datamodules import SevenScenes, TumRgbd
from tests.helpers.fake_data import write_seven_scenes, write_tum


def test_tum_pairs_by_time(data_root: Path) -> None:
    write_tum(data_root / "tum")
    reader = TumRgbd("tum")
    assert [(entry.image.stem, entry.depth.stem) for entry in reader.entries] == [
        ("1.000000", "1.005000"),
        ("1.033000", "1.031000"),
        ("1.066000", "1.075000"),
    ]
    frame = reader[2]
    assert (frame.depth == 3).all()
    assert frame.intrinsics[0, 0] == pytest.approx(52.09)  # the fake frames are a tenth of the true ones
    (data_root / "tum" / "rgbd_dataset_freiburg2_desk" / "depth.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"depth\.txt: no such file"):
        len(TumRgbd("tum"))


def test_seven_scenes_by_split(data_root: Path) -> None:
    write_seven_scenes(data_root / "seven")
    expected: tuple[tuple[Literal["all", "train", "test"], set[str]], ...] = (
        ("all", {"seq-01", "seq-02"}),
        ("train", {"seq-01"}),
        ("test", {"seq-02"}),
    )
    for split, sequences in expected:
        reader = SevenScenes("seven", split=split)
        assert {path.parent.name for path in reader.paths} == sequences
    depth = reader[0].depth
    assert depth[0, 0] == 0
    assert (depth.ravel()[1:] == 1.5).all()
    assert len(SevenScenes("seven", scenes=["chess/seq-01"])) == 2
    with pytest.raises(FileNotFoundError, match=r"fire: no such folder; looked for 7-Scenes"):
        len(SevenScenes("seven", scenes=["fire"]))


def test_seven_scenes_names_a_sequence_that_is_not_there(data_root: Path) -> None:
    write_seven_scenes(data_root / "seven")
    (data_root / "seven" / "chess" / "TestSplit.txt").write_text("sequence2\nsequence3\n")
    with pytest.raises(FileNotFoundError, match="seq-03: no such folder"):
        len(SevenScenes("seven", split="test"))


def test_seven_scenes_in_parts_of_each_sequence(data_root: Path) -> None:
    write_seven_scenes(data_root / "seven")
    first, second = (SevenScenes("seven", part=part).paths for part in ((0, 0.5), (0.5, 1)))
    assert {path.parent.name for path in first} == {path.parent.name for path in second} == {"seq-01", "seq-02"}
    assert sorted([*first, *second]) == sorted(SevenScenes("seven").paths)
    assert max(path.name for path in first) < min(path.name for path in second)
    with pytest.raises(ValueError, match=r"part \[0.6, 0.5\] is not ascending within \[0, 1\]"):
        SevenScenes("seven", part=(0.6, 0.5))
