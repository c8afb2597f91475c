"""Lists and the names in them: forms that people write, and files that are no lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from datamodules import Diw, KittiRaw, Make3D, NyuFolders, NyuLabeled, Reader, SevenScenes, TumRgbd
from datamodules import VirtualKitti as Vkitti
from datamodules import VirtualKitti1 as Vkitti1
from datamodules.lidar import read_scan
from datamodules.lists import Names, as_names
from datamodules.reader import CorruptFrameError
from lightning_app.data_tools.sources import build_reader
from tests.helpers.fake_data import (
    DRIVE,
    write_make3d,
    write_nyu_folders,
    write_nyu_labeled,
    write_seven_scenes,
    write_tum,
    write_vkitti1,
)


def kitti(root: Path) -> tuple[Reader, Path]:
    (root / "list.txt").write_text(f"{DRIVE} 1 l\n")
    return KittiRaw("kitti", "list.txt"), root / "list.txt"


def nyu(root: Path) -> tuple[Reader, Path]:
    write_nyu_folders(root / "nyu")
    return NyuFolders("nyu", "nyu/list.txt"), root / "nyu" / "list.txt"


def diw(root: Path) -> tuple[Reader, Path]:
    (root / "diw.csv").write_text("photos/a.jpg\n1,1,9,9,>,90,60\n")
    return Diw(".", "diw.csv"), root / "diw.csv"


def tum(root: Path) -> tuple[Reader, Path]:
    write_tum(root / "tum")
    return TumRgbd("tum"), root / "tum" / "rgbd_dataset_freiburg2_desk" / "rgb.txt"


LISTS = {"kitti": kitti, "nyu": nyu, "diw": diw, "tum": tum}


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("kitti", "../../elsewhere_sync 1 l"),
        ("kitti", "/root/elsewhere_sync 1 l"),
        ("kitti", "../elsewhere_sync/image_02/data/0000000001.png None 721.5"),
        ("kitti", "/../elsewhere_sync/image_02/data/0000000001.png None 721.5"),
        ("nyu", "../a.jpg b.png 518.8"),
        ("nyu", "/kitchen/../../a.jpg b.png 518.8"),
        ("nyu", "a.jpg /../../b.png 518.8"),
        ("nyu", f"{'a' * 5000}.jpg b.png 518.8"),
        ("diw", "../photos/a.jpg\n1,1,9,9,>,90,60"),
        ("diw", "/etc/passwd\n1,1,9,9,>,90,60"),
        ("tum", "1.0 ../../other/rgb/1.png"),
        ("tum", "1.0 /etc/passwd"),
    ],
)
def test_lists_do_not_lead_out_of_their_folder(data_root: Path, kind: str, line: str) -> None:
    reader, path = LISTS[kind](data_root)
    path.write_text(f"{line}\n")
    with pytest.raises(ValueError, match=rf"{path.name}: .* is not a file below ") as caught:
        len(reader)
    assert len(str(caught.value)) < 500


def test_links_in_the_folder_may_lead_elsewhere(data_root: Path, tmp_path: Path) -> None:
    reader, _ = nyu(data_root)
    (data_root / "nyu" / "study").rename(tmp_path / "elsewhere")
    (data_root / "nyu" / "study").symlink_to(tmp_path / "elsewhere")
    reader.require_files()
    assert reader[3].depth.any()


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_lists_of_windows_programs(data_root: Path, kind: str, encoding: str) -> None:
    reader, path = LISTS[kind](data_root)
    path.write_text(path.read_text().replace("\n", "\r\n"), encoding=encoding)
    reader.require_files()


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "content",
    [bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n\0\0", b"a" * 1_000_000, b"\xff\xfe\x00", b"\n", b"\xff" * 99],
)
def test_files_that_are_no_lists(data_root: Path, kind: str, content: bytes) -> None:
    reader, path = LISTS[kind](data_root)
    path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        reader.require_files()
    assert len(str(caught.value)) < 800
    assert "\n" not in str(caught.value)


def huge(path: Path) -> None:
    """A file of 1 GB that takes no space."""
    with path.open("wb") as file:
        file.truncate(2**30)


@pytest.mark.parametrize("kind", LISTS)
def test_huge_lists_are_not_read(data_root: Path, kind: str) -> None:
    reader, path = LISTS[kind](data_root)
    huge(path)
    with pytest.raises(ValueError, match="has 1024 MB; a text file has at most 256"):
        len(reader)


def test_huge_files_of_frames_are_not_read(data_root: Path) -> None:
    write_make3d(data_root / "make3d", frames=1)
    grid = Make3D("make3d").entries[0].grid
    huge(grid)
    with pytest.raises(CorruptFrameError, match="1024 MB, at most 4"):
        Make3D("make3d")[0]
    scipy.io.savemat(grid, {"Position3DGrid": np.zeros((5000, 5000), np.uint8)}, do_compression=True)
    with pytest.raises(CorruptFrameError, match="25000000 values, at most"):
        Make3D("make3d")[0]
    scan = KittiRaw("kitti", "kitti/val.txt").entries[0].truth
    huge(scan)
    with pytest.raises(CorruptFrameError, match="has 1024 MB; a scan has at most 64"):
        read_scan(scan)
    huge(data_root / "kitti" / "2011_09_26" / "calib_velo_to_cam.txt")
    with pytest.raises(CorruptFrameError, match=r"calib_velo_to_cam\.txt: has 1024 MB"):
        KittiRaw("kitti", "kitti/val.txt")[1]
    huge(data_root / "vkitti" / "Scene01" / "clone" / "intrinsic.txt")
    with pytest.raises(CorruptFrameError, match="no intrinsics for this frame"):
        Vkitti("vkitti")[0]


@pytest.mark.parametrize("points", [[[1500.0, 0, 0, 0]], [[1, 2, -3e30, 0]]])
def test_lidar_beyond_a_kilometre_is_refused(tmp_path: Path, points: list[list[float]]) -> None:
    np.array(points, np.float32).tofile(tmp_path / "a.bin")
    with pytest.raises(CorruptFrameError, match=r"a\.bin: the scan has a point at .* m, more than 1000"):
        read_scan(tmp_path / "a.bin")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes()[:150]),
        lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(600)),
        lambda path: path.write_bytes(b""),
        lambda path: scipy.io.savemat(path, {"testNdxs": np.array(["a"]), "trainNdxs": np.array(["b"])}),
        lambda path: scipy.io.savemat(path, {"testNdxs": {"a": 1}}),
        lambda path: scipy.io.savemat(path, {"testNdxs": np.array([[np.nan, -1]])}),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_split_of_nyu_that_cannot_be(data_root: Path, change: Callable[[Path], object]) -> None:
    write_nyu_labeled(data_root / "nyu")
    change(data_root / "nyu" / "splits.mat")
    with pytest.raises(ValueError, match="nyu"):
        len(NyuLabeled("nyu", "test"))


@pytest.mark.parametrize(
    ("arguments", "scenes"),
    [
        (["--scenes", "Scene01"], ["Scene01"]),
        (["--scenes", "1"], ["Scene01"]),
        (["--scenes", "[1, 2]"], ["Scene01", "Scene02"]),
        (["--scenes", "Scene01,Scene02"], ["Scene01", "Scene02"]),
        (["--scenes", "[Scene02]"], ["Scene02"]),
    ],
)
def test_one_scene_needs_no_brackets(data_root: Path, arguments: list[str], scenes: list[str]) -> None:
    reader = build_reader("VirtualKitti", ["--root", "vkitti", "--variations", "clone", "--cameras", "0", *arguments])
    assert sorted({path.parts[-6] for path in reader.paths}) == scenes
    assert {path.parts[-5] for path in reader.paths} == {"clone"}


def test_worlds_that_yaml_reads_as_numbers(data_root: Path) -> None:
    write_vkitti1(data_root / "old", variations=("clone",))
    readers = [build_reader("VirtualKitti1", ["--root", "old", "--worlds", text]) for text in ("0001", "[0001]", "[1]")]
    for reader in (*readers, Vkitti1("old", worlds=1), Vkitti1("old", worlds=["0001"])):
        assert {path.parts[-3] for path in reader.paths} == {"0001"}
    with pytest.raises(FileNotFoundError, match="no 0016; found 0001, 0020; write '0020' in quotes"):
        len(build_reader("VirtualKitti1", ["--root", "old", "--worlds", "[0020]"]))
    assert len(Vkitti1("old", worlds=20)) == 2


def test_ranges_of_numbered_scenes(data_root: Path) -> None:
    alike: tuple[Names, ...] = ("1-2", "1,2", [1, "2"], ["1 - 2"])
    for given in alike:
        assert len(Vkitti("vkitti", scenes=given)) == len(Vkitti("vkitti")), given
    assert len(build_reader("VirtualKitti", ["--root", "vkitti", "--scenes", "1-2"])) == len(Vkitti("vkitti"))
    assert as_names("9-11,Scene20", "Scene{:02d}") == ["Scene09", "Scene10", "Scene11", "Scene20"]
    assert as_names("seq-01,1-2") == ["seq-01", "1-2"]  # these are not numbered
    for wrong in ("2-1", "1-999999999"):
        with pytest.raises(ValueError, match=f"'{wrong}' is not an ascending range of at most 100000 numbers"):
            Vkitti("vkitti", scenes=wrong)


def test_scenes_of_seven_scenes_and_frames_to_exclude(data_root: Path) -> None:
    write_seven_scenes(data_root / "seven")
    assert len(SevenScenes("seven", scenes="chess/seq-01")) == 2
    assert len(Vkitti("vkitti", exclude="Scene01/0,Scene02/2")) == 8
