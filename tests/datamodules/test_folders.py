"""One way to search folders: links are followed, hidden copies are not data, for every reader."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import (
    Diw,
    KittiRaw,
    Make3D,
    NyuFolders,
    Photos,
    Reader,
    SevenScenes,
    TumRgbd,
    VirtualKitti,
    VirtualKitti1,
)
from datamodules.folders import SUFFIXES, find_files, find_images, list_folder
from tests.helpers import fake_data
from tests.helpers.image_bytes import turned

HIDDEN = ("@eaDir", ".ipynb_checkpoints", ".Trash-1000", "__MACOSX", "Thumbs", "#recycle", "$RECYCLE.BIN", "lost+found")


def make(name: str, root: Path) -> Reader:
    """Write a fake data set to ``data`` and return its reader."""
    write, reader = DATA_SETS[name]
    write(root / "data")
    return reader()


DATA_SETS: dict[str, tuple[Callable[[Path], None], Callable[[], Reader]]] = {
    "Photos": (fake_data.write_photos, lambda: Photos("data")),
    "VirtualKitti": (fake_data.write_vkitti, lambda: VirtualKitti("data")),
    "VirtualKitti1": (fake_data.write_vkitti1, lambda: VirtualKitti1("data")),
    "TumRgbd": (fake_data.write_tum, lambda: TumRgbd("data")),
    "SevenScenes": (fake_data.write_seven_scenes, lambda: SevenScenes("data")),
    "SevenScenes, split": (fake_data.write_seven_scenes, lambda: SevenScenes("data", split="train")),
    "Make3D": (fake_data.write_make3d, lambda: Make3D("data")),
}
LISTED: dict[str, tuple[Callable[[Path], None], Callable[[], Reader]]] = {
    "KittiRaw": (fake_data.write_kitti, lambda: KittiRaw("data", "data/val.txt")),
    "NyuFolders": (fake_data.write_nyu_folders, lambda: NyuFolders("data", "data/list.txt")),
    "Diw": (fake_data.write_diw, lambda: Diw("data", "data/DIW_test.csv")),
}
DATA_SETS |= LISTED


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", sorted(DATA_SETS.keys() - LISTED.keys()))
def test_linked_folders_are_data_and_hidden_copies_are_not(name: str, root: Path) -> None:
    reader = make(name, root)
    expected = [path.relative_to(root) for path in reader.paths]
    folders = [path for path in (root / "data").iterdir() if path.is_dir()]
    for folder in folders:
        elsewhere = root / "elsewhere" / folder.name
        shutil.move(folder, elsewhere)
        for inner in [elsewhere, *(path for path in elsewhere.rglob("*") if path.is_dir())]:
            for hidden in HIDDEN:
                (inner / hidden).mkdir()
        for file in [path for path in elsewhere.rglob("*") if path.is_file()]:
            (file.parent / f"._{file.name}").write_bytes(b"\0\5\x16\7")
            for hidden in HIDDEN:
                (file.parent / hidden / file.name).symlink_to(file)
        folder.symlink_to(elsewhere)
    for hidden in HIDDEN:
        (root / "data" / hidden).symlink_to(root / "elsewhere")
    again = DATA_SETS[name][1]()
    assert [path.relative_to(root) for path in again.paths] == expected
    assert again[0].image.shape == reader[0].image.shape


@pytest.mark.parametrize("name", sorted(DATA_SETS.keys() - {"VirtualKitti1", "SevenScenes, split"}))
def test_images_of_every_reader_are_upright(name: str, root: Path) -> None:
    reader = make(name, root)
    frame = reader[0]
    stored = np.asarray(Image.open(frame.path).convert("RGB"))  # its decoder differs for JPEG
    frame.path.write_bytes(turned(stored, 6))
    assert np.asarray(Image.open(frame.path)).shape == (stored.shape[1], stored.shape[0], 3)
    assert reader[0].image.shape == frame.image.shape
    assert np.abs(reader[0].image.astype(int) - frame.image).max() <= 3


def test_circles_of_links_end_and_files_keep_their_own_path(tmp_path: Path) -> None:
    first, second, outside = tmp_path / "data" / "a", tmp_path / "data" / "z", tmp_path / "outside"
    for folder in (first, second, outside):
        folder.mkdir(parents=True)
        (folder / "image.jpg").touch()
    (first / "to_z").symlink_to(second)
    (second / "to_a").symlink_to(first)
    (first / "self").symlink_to(".")
    (second / "up").symlink_to(tmp_path / "data")
    (first / "out").symlink_to(outside)
    (second / "out").symlink_to(outside)
    (outside / "back").symlink_to(first)
    (first / "linked.jpg").symlink_to(second / "image.jpg")
    (first / "broken.jpg").symlink_to(tmp_path / "absent")
    found = [path.relative_to(tmp_path / "data").as_posix() for path in find_files(tmp_path / "data", "*.jpg")]
    assert found == ["a/broken.jpg", "a/image.jpg", "a/linked.jpg", "a/out/image.jpg", "z/image.jpg"]


def test_a_hidden_root_is_searched(tmp_path: Path) -> None:
    root = tmp_path / ".cache" / "Thumbs"
    root.mkdir(parents=True)
    for name in ("b.png", "a.png", ".c.png", "desktop.ini", "Thumbs.db"):
        (root / name).touch()
    assert [path.name for path in find_files(root)] == ["a.png", "b.png"]
    assert list_folder(root) == find_files(root)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_files(tmp_path / "absent")


def test_images_of_a_folder_are_taken_or_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for suffix in SUFFIXES:
        (tmp_path / f"image{suffix.upper()}").write_bytes(b"")
    find_images(tmp_path)
    assert not caplog.messages
    (tmp_path / "depth.png").write_bytes(turned(np.full((4, 6), 40_000, np.uint16), 1))
    for name in ("a.heic", "b.HEIC", "notes.txt", "README"):
        (tmp_path / name).write_bytes(b"")
    assert len(find_images(tmp_path)) == len(SUFFIXES)
    skipped = "2 .heic, 1 without a suffix, 1 16-bit greyscale .png (depth maps), 1 .txt"
    assert caplog.messages == [f"{tmp_path}: {len(SUFFIXES)} images; skipped other files: {skipped}"]
    assert find_images(tmp_path / "depth.png") == [tmp_path / "depth.png"]
    for path in tmp_path.glob("image*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no image in it \(\.jpg, .*\); found 2 \.heic, "):
        find_images(tmp_path)
