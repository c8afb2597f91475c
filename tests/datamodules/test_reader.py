"""What holds for every data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datamodules
from datamodules import KittiRaw, NyuFolders, Photos, Reader, SevenScenes, TumRgbd, VirtualKitti1
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import (
    DRIVE,
    write_annotated,
    write_nyu_folders,
    write_seven_scenes,
    write_tum,
    write_vkitti1,
)


def test_archives_are_named(data_root: Path) -> None:
    (data_root / "packed.zip").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"found .*packed\.zip: unpack it"):
        len(TumRgbd("packed"))


def test_every_reader_says_whose_terms_hold() -> None:
    readers = [each for each in vars(datamodules).values() if isinstance(each, type) and issubclass(each, Reader)]
    unsaid = [each.__name__ for each in readers if each is not Reader and each.licence == Reader.licence]
    assert len(readers) > 10
    assert not unsaid


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "8-bit", "rgb", "size", "absent"])
@pytest.mark.parametrize("kind", ["vkitti1", "annotated", "nyu", "tum", "seven"])
def test_corrupt_depth_is_refused(data_root: Path, kind: str, damage: str) -> None:
    reader, index = READERS[kind](data_root)
    frame, depth = reader[index], reader.files(reader.entries[index])[1]
    height, width = frame.depth.shape
    content = depth.read_bytes()
    match damage:
        case "truncated":
            depth.write_bytes(content[: len(content) // 2])
        case "empty":
            depth.write_bytes(b"")
        case "text":
            depth.write_text("not a picture")
        case "8-bit":
            Image.new("L", (width, height), 7).save(depth)
        case "rgb":
            Image.new("RGB", (width, height)).save(depth)
        case "size":
            Image.fromarray(np.full((5, 6), 2000, np.uint16)).save(depth)
        case "absent":
            depth.unlink()
    with pytest.raises(CorruptFrameError, match=r"corrupt|16-bit|depth has shape \(5, 6\)|no such depth"):
        reader[index]


def vkitti1(root: Path) -> tuple[Reader, int]:
    write_vkitti1(root / "old")
    return VirtualKitti1("old"), 0


def annotated(root: Path) -> tuple[Reader, int]:
    for frame in range(3):
        write_annotated(root / "kitti" / DRIVE, frame, (75, 124))
    return KittiRaw("kitti", "kitti/val.txt", depth="annotated"), 1


def nyu(root: Path) -> tuple[Reader, int]:
    write_nyu_folders(root / "nyu")
    return NyuFolders("nyu", "nyu/list.txt"), 2


def tum(root: Path) -> tuple[Reader, int]:
    write_tum(root / "tum")
    return TumRgbd("tum"), 0


def seven(root: Path) -> tuple[Reader, int]:
    write_seven_scenes(root / "seven")
    return SevenScenes("seven"), 3


READERS = {"vkitti1": vkitti1, "annotated": annotated, "nyu": nyu, "tum": tum, "seven": seven}


def test_real_rooms(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    readers: dict[Reader, int] = {
        NyuFolders("nyu", "nyu/nyu_test_files_with_gt.txt"): 3,
        TumRgbd("tum"): 2,
        SevenScenes("seven_scenes", scenes=["redkitchen"]): 100,
    }
    for reader, count in readers.items():
        reader.require_files()
        assert len(reader) == count
        for index in range(0, count, 20):
            frame = reader[index]
            known = frame.depth > 0
            assert frame.depth.shape == (480, 640)
            assert known.mean() > 0.5, frame.path
            assert 0.3 < np.median(frame.depth[known]) < 6, frame.path


def test_photos_are_found_in_folders_of_folders(data_root: Path) -> None:
    reader = Photos("photos")
    assert [path.name for path in reader.paths] == ["a.jpg", "b.png", "c.jpeg"]
    assert not reader[1].depth.any()
    (data_root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: no image in it \(\.jpg, "):
        len(Photos("empty"))
