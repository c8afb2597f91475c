"""Shards: frames of any reader, packed by LitData in a folder, on S3 or on GCS.

They are for data that does not fit on one machine. LitData fetches one byte range per frame. The sampler chooses the
frames as for files, so mixing, order, resuming and distribution over ranks are the same.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from datamodules.contract import Domain, Truth, refuse_breach_of_frame
from datamodules.depth_io import decode_depth
from datamodules.image_files import decode_image
from datamodules.lists import read_text
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path

LIST = "list"  # a second LitData data set with the frame list as its only sample; written last
# LitData's format of each value. No other is read: LitData unpickles some, which runs code of whoever wrote the shards.
_FRAME_FORMATS = {
    "image": "bytes",
    "depth": "bytes",
    "units_per_metre": "float",
    "inv_depth": "bytes",
    "label_units": "float",
    "intrinsics": "numpy",
    "pair": "no_header_numpy:3",
    "synthetic": "bool",
}
_LIST_FORMATS = {"json": "bytes"}
_CHUNK_NAME = re.compile(r"chunk-\d+-\d+\.bin")


class ForeignShardsError(ValueError):
    """Files of LitData that were not written by this project."""


class _Entry(NamedTuple):
    image: Path
    number: int
    scene: str
    has_depth: bool


class Shards(Reader):
    """Shards written by ``pocketdepth data shard``. Frames are bit-identical to those of the original reader.

    Args:
        root: folder, relative to the data root, or a URL supported by LitData: ``s3://…``, ``gs://…``.

    Raises:
        FileNotFoundError: the shards are missing or incomplete.
        ImportError: LitData (extra ``shards``) is not installed.
        ValueError: the files are of LitData, but not shards of this project. They are not opened.
    """

    layout = "shards written by `pocketdepth data shard`: index.json, chunk-*.bin and list/"

    def __init__(self, root: str) -> None:
        self.url = root if "://" in root else str(data_path(root))
        self.root = Path(root)

    @property
    def truth(self) -> Truth:  # type: ignore[override]
        """Kind of ground truth of the original reader."""
        return cast(Truth, frame_list(self.url)["truth"])

    @property
    def licence(self) -> Licence:  # type: ignore[override]
        """Licence of the original reader; unknown in shards of older versions, which do not store it."""
        kept = frame_list(self.url).get("licence")
        return Licence(*kept) if kept else Licence(f"shards of {self}", "that of the source data", None)

    def scan(self) -> list[_Entry]:
        frames = frame_list(self.url)["frames"]
        if "://" not in self.url:
            _check_index(Path(self.url), _FRAME_FORMATS)
        return [_Entry(Path(path), number, scene, known) for number, (path, scene, known) in enumerate(frames)]

    def scene(self, entry: _Entry) -> str:
        return entry.scene

    def has_depth(self, entry: _Entry) -> bool:
        return entry.has_depth

    def files(self, entry: _Entry) -> list[Path]:
        return []  # the frames have no files of their own; reading a missing chunk raises

    def read(self, entry: _Entry) -> Frame:
        frames = _open(self.url, os.getpid())
        try:
            sample = frames[entry.number]
            image = decode_image(bytes(sample["image"]), entry.image)
            pixels = image.shape[0] * image.shape[1]
            depth = decode_depth(sample["depth"], sample["units_per_metre"], pixels)
            label, units = sample["inv_depth"], sample["label_units"]
            inv_depth = decode_depth(label, units, pixels) if label else None
            pair = sample["pair"] if sample["pair"].any() else None
            domain: Domain = "synthetic" if sample["synthetic"] else "real"
            frame = Frame(image, depth, sample["intrinsics"], domain, entry.image, pair, inv_depth)
            refuse_breach_of_frame(self, frame)
        except Exception as error:  # LitData and codecs raise many types for corrupt data
            raise CorruptFrameError(f"{self.url}: frame {entry.number} ({entry.image}) is corrupt ({error})") from error
        return frame

    def __str__(self) -> str:
        try:
            return str(frame_list(self.url)["source"])
        except FileNotFoundError:
            return f"Shards {self.url}"


def shards_exist(url: str) -> bool:
    """Whether a folder or URL contains complete shards.

    Raises:
        ConnectionError: the URL cannot be read, e.g. because credentials are missing.
    """
    try:
        frame_list(url)
    except FileNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, FileNotFoundError) or "404" in str(cause):
            return False
        raise ConnectionError(f"{url}: cannot be read ({cause})") from cause
    return True


@cache
def frame_list(url: str) -> dict[str, Any]:
    try:
        content = json.loads(bytes(open_shards(f"{url}/{LIST}", _LIST_FORMATS)[0]["json"]))
    except (ImportError, ForeignShardsError):
        raise
    except Exception as error:  # storage backends raise different types
        raise FileNotFoundError(
            f"{url}: shards are missing or incomplete; looked for {Shards.layout} ({error})"
        ) from error
    if not _is_frame_list(content):
        raise ForeignShardsError(f"{url}: its list of frames was not written by `pocketdepth data shard`")
    return dict(content)


def _is_frame_list(content: Any) -> bool:
    try:
        licence = content.get("licence")
        return (
            content["truth"] in get_args(Truth)
            and isinstance(content["source"], str)
            and (not licence or isinstance(Licence(*licence).name, str))
            and all([str, str, bool] == [type(value) for value in frame] for frame in content["frames"])
        )
    except (AttributeError, KeyError, TypeError):
        return False


@cache
def _open(url: str, process: int) -> Any:
    """Open the data set once per process. Its threads and connections do not survive a fork."""
    return open_shards(url)


def open_shards(url: str, formats: dict[str, str] = _FRAME_FORMATS) -> Any:
    """Open a LitData data set whose index names no other formats. Of a URL, LitData downloads the index first.

    Raises:
        ForeignShardsError: the index names other formats or files.
        Exception: the data set is missing. The type depends on the storage.
    """
    remote, litdata = "://" in url, import_litdata()
    if not remote:
        _check_index(Path(url), formats)
    data = litdata.StreamingDataset(url, batch_decode=0)  # frames are read one by one, in any order
    if remote:
        _read_index(Path(data.input_dir.path), formats)
    return data


def _check_index(folder: Path, formats: dict[str, str]) -> None:
    """Raise FileNotFoundError for incomplete chunks of a folder, for which LitData would wait."""
    for chunk in _read_index(folder, formats):
        file = folder / chunk["filename"]
        size = file.stat().st_size if file.is_file() else 0
        if size < chunk["chunk_bytes"]:
            raise FileNotFoundError(
                f"{file}: incomplete, {size} of {chunk['chunk_bytes']} bytes; write the shards again"
            )


def _read_index(folder: Path, formats: dict[str, str]) -> list[dict[str, Any]]:
    """The chunks in an index of LitData. Raises ForeignShardsError if it names other formats or files."""
    try:
        content = json.loads(read_text(folder / "index.json"))
        config, chunks = content["config"], list(content["chunks"])
        _, tree = json.loads(config["data_spec"])
        known = (
            config["data_format"] == list(formats.values())
            and (tree["type"], json.loads(tree["context"])) == ("builtins.dict", list(formats))
            and all(leaf["type"] is None for leaf in tree["children_spec"])
            and config.get("item_loader", "PyTreeLoader") == "PyTreeLoader"
            and not (config.get("compression") or config.get("encryption"))
            and all(_CHUNK_NAME.fullmatch(chunk["filename"]) and int(chunk["chunk_bytes"]) >= 0 for chunk in chunks)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        raise ForeignShardsError(f"{folder}: not shards written by `pocketdepth data shard`, so they are not opened")
    return chunks


def import_litdata() -> Any:
    try:
        import litdata
    except ImportError as error:
        raise ImportError("shards require LitData: pip install litdata google-cloud-storage") from error
    return litdata
