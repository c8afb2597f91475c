"""Shards that somebody sends, and shards on a full disk."""

from __future__ import annotations

import errno
import json
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import imagecodecs
import litdata
import numpy as np
import pytest
from litdata.streaming.cache import Cache
from litdata.streaming.writer import BinaryWriter

from datamodules import Photos, Shards, VirtualKitti, shard_writing
from datamodules import depth_io as io
from datamodules.reader import CorruptFrameError
from datamodules.shard_writing import write_shards
from datamodules.shards import ForeignShardsError, frame_list, open_shards
from tests.conftest import Cli

OPENED: list[str] = []


def note() -> None:
    OPENED.append("evil")


class Evil:
    """Code that runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return note, ()


def write(samples: list[Any], folder: Path) -> None:
    folder.mkdir(parents=True)
    cache = Cache(str(folder), chunk_bytes=1000)
    for number, sample in enumerate(samples):
        cache[number] = sample
    cache.done()
    cache.merge()


@pytest.fixture
def shards(data_root: Path) -> Path:
    write_shards(Photos("photos"), [0, 1, 2], str(data_root / "shards"))
    frame_list.cache_clear()
    return data_root / "shards"


def test_pickle_in_the_list_is_not_opened(tmp_path: Path) -> None:
    write([{"json": Evil()}], tmp_path / "evil" / "list")
    litdata.StreamingDataset(str(tmp_path / "evil" / "list"))[0]
    assert OPENED  # LitData itself runs it
    OPENED.clear()
    with pytest.raises(ForeignShardsError, match=r"evil/list: not shards written by `pocketdepth data shard`"):
        len(Shards(str(tmp_path / "evil")))
    with pytest.raises(ForeignShardsError):
        Shards(str(tmp_path / "evil")).truth  # noqa: B018 (a property that reads the list)
    assert not OPENED


def test_pickle_in_the_frames_is_not_opened(shards: Path) -> None:
    for file in shards.glob("*.*"):
        file.unlink()
    (shards / "list").rename(shards.with_name("kept"))
    shards.rmdir()
    write([{"image": Evil()}], shards)
    shards.with_name("kept").rename(shards / "list")
    with pytest.raises(ForeignShardsError):
        len(Shards("shards"))
    with pytest.raises(ForeignShardsError):
        open_shards(str(shards))
    assert not OPENED


def change_format(content: dict[str, Any]) -> None:
    content["config"]["data_format"][0] = "pickle"


def change_loader(content: dict[str, Any]) -> None:
    content["config"]["item_loader"] = "ParquetLoader"


def change_encryption(content: dict[str, Any]) -> None:
    content["config"]["encryption"] = {"algorithm": "fernet", "level": "sample"}


def change_tree(content: dict[str, Any]) -> None:
    content["config"]["data_spec"] = content["config"]["data_spec"].replace("builtins.dict", "collections.OrderedDict")


def change_chunk(content: dict[str, Any]) -> None:
    content["chunks"][0]["filename"] = "../../photos/a.jpg"


def change_kind(content: dict[str, Any]) -> None:
    content["config"] = None


@pytest.mark.parametrize(
    "change", [change_format, change_loader, change_encryption, change_tree, change_chunk, change_kind]
)
@pytest.mark.parametrize("index", ["index.json", "list/index.json"])
def test_an_index_of_another_kind_is_refused(
    shards: Path, change: Callable[[dict[str, Any]], None], index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads((shards / index).read_text())
    change(content)
    (shards / index).write_text(json.dumps(content))
    if index.startswith("list"):
        monkeypatch.setattr(litdata, "StreamingDataset", None)  # LitData must not see it
    with pytest.raises(ForeignShardsError):
        len(Shards("shards"))


def test_the_index_of_a_url_is_checked_before_its_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write([{"json": Evil()}], tmp_path / "list")
    real = litdata.StreamingDataset
    monkeypatch.setattr(litdata, "StreamingDataset", lambda url, batch_decode: real(str(tmp_path / "list")))
    with pytest.raises(ForeignShardsError):
        len(Shards("s3://somebody/shards"))
    assert not OPENED


@pytest.mark.parametrize(
    "content", [[], {}, {"truth": "none", "source": "x", "frames": [["a", "b"]]}, {"truth": "lidar"}]
)
def test_a_frame_list_of_another_kind_is_refused(tmp_path: Path, content: Any) -> None:
    write([{"json": json.dumps(content).encode()}], tmp_path / "list")
    with pytest.raises(ForeignShardsError, match="its list of frames was not written by"):
        len(Shards(str(tmp_path)))


def npy(shape: tuple[int, ...], header: bytes = b"") -> bytes:
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    content = bytearray(stream.getvalue())
    content[10 : 10 + len(header)] = header
    return bytes(content) + bytes(96)


@pytest.mark.parametrize(
    "content",
    [
        npy((200_000, 200_000)),
        npy((4, 6), b"{'descr': (((("),
        npy((4, 6), b"\xff\xff"),
        b"",
        bytes(50_000_000),
        pickle.dumps(Evil()),
    ],
)
def test_depth_of_shards_that_cannot_be_is_corrupt(content: bytes, shards: Path) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        io.decode_depth(bytes(imagecodecs.zstd_encode(content)), 0.0, 24)
    assert not isinstance(caught.value, MemoryError)
    reader = Shards("shards")
    sample = open_shards(str(shards))[0]
    damaged = {**sample, "depth": bytes(imagecodecs.zstd_encode(content))}
    reader_open = {0: damaged}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datamodules.shards._open", lambda url, process: reader_open)
        with pytest.raises(CorruptFrameError, match=r"frame 0 \(.*a\.jpg\) is corrupt"):
            reader[0]
    assert not OPENED


def test_the_path_in_shards_is_a_name(shards: Path, data_root: Path) -> None:
    """It is not read, not even to write the shards again."""
    again = Shards("shards")
    for entry in again.entries:
        entry.image.write_bytes(b"not an image")
    write_shards(again, [0, 1, 2], str(data_root / "again"))
    for one, two in zip(again, Shards("again"), strict=True):
        np.testing.assert_array_equal(one.image, two.image)


@pytest.mark.parametrize("written", ["chunk", "index"])
def test_a_full_disk_ends_with_its_cause(
    written: str, data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(BinaryWriter, "write_chunk_to_file" if written == "chunk" else "write_chunks_index", full)
    result = cli("data", "shard", "VirtualKitti", "--root", "vkitti", "--output", tmp_path / "new" / "out")
    assert result.status == 1
    assert result.err.splitlines()[-1] == f"pocketdepth: error: {tmp_path / 'new' / 'out'}: no space left on device"
    assert not list((tmp_path / "new").glob("*"))


def test_a_full_disk_of_temporary_files_is_said_before_an_upload(
    monkeypatch: pytest.MonkeyPatch, data_root: Path
) -> None:
    monkeypatch.setattr(shard_writing, "CHUNK", 10**18)
    with pytest.raises(OSError, match=r"no space left for \d+ MB of chunks"):
        write_shards(VirtualKitti("vkitti"), [0], "s3://nobody/shards")
