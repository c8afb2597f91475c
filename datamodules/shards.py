"""Shards: frames of any reader, packed by LitData in a folder, on S3 or on GCS.

They are for data that does not fit on one machine. LitData fetches one byte range per frame. The sampler chooses the
frames as for files, so mixing, order, resuming and distribution over ranks are the same.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from datamodules.depth_io import decode_depth, encode_depth
from datamodules.image_files import decode_image, encode_image
from datamodules.reader import CorruptFrameError, Domain, Frame, Licence, Reader, Truth, data_path

CHUNK = "64MB"
LIST = "list"  # a second LitData data set with the frame list as its only sample; written last


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
    """

    layout = "shards written by `pocketdepth data shard`: index.json, chunk-*.bin and list/"

    def __init__(self, root: str) -> None:
        self.url = root if "://" in root else str(data_path(root))
        self.root = Path(root)

    @property
    def truth(self) -> Truth:  # type: ignore[override]
        """Kind of ground truth of the original reader."""
        return cast(Truth, _frame_list(self.url)["truth"])

    @property
    def licence(self) -> Licence:  # type: ignore[override]
        """Licence of the original reader; unknown in shards of older versions, which do not store it."""
        kept = _frame_list(self.url).get("licence")
        return Licence(*kept) if kept else Licence(f"shards of {self}", "that of the source data", None)

    def scan(self) -> list[_Entry]:
        frames = _frame_list(self.url)["frames"]
        if "://" not in self.url:
            self._require_complete_chunks(Path(self.url))
        return [_Entry(Path(path), number, scene, known) for number, (path, scene, known) in enumerate(frames)]

    def scene(self, entry: _Entry) -> str:
        return entry.scene

    def has_depth(self, entry: _Entry) -> bool:
        return entry.has_depth

    def files(self, entry: _Entry) -> list[Path]:
        return []  # the frames have no files of their own; reading a missing chunk raises

    def read(self, entry: _Entry) -> Frame:
        try:
            sample = _open(self.url, os.getpid())[entry.number]
            depth = decode_depth(sample["depth"], sample["units_per_metre"])
            inv_depth = decode_depth(sample["inv_depth"], sample["label_units"]) if sample["inv_depth"] else None
        except (OSError, ValueError, RuntimeError, IndexError, KeyError, TypeError) as error:
            raise CorruptFrameError(f"{self.url}: frame {entry.number} ({entry.image}) is corrupt ({error})") from error
        image = decode_image(bytes(sample["image"]), entry.image)
        pair = sample["pair"] if sample["pair"].any() else None
        domain: Domain = "synthetic" if sample["synthetic"] else "real"
        return Frame(image, depth, sample["intrinsics"], domain, entry.image, pair, inv_depth)

    def _require_complete_chunks(self, folder: Path) -> None:
        """Raise FileNotFoundError for incomplete chunks. LitData would wait for their frames."""
        for chunk in json.loads((folder / "index.json").read_text())["chunks"]:
            file = folder / chunk["filename"]
            size = file.stat().st_size if file.is_file() else 0
            if size < chunk["chunk_bytes"]:
                raise FileNotFoundError(
                    f"{file}: incomplete, {size} of {chunk['chunk_bytes']} bytes; write the shards again"
                )

    def __str__(self) -> str:
        try:
            return str(_frame_list(self.url)["source"])
        except FileNotFoundError:
            return f"Shards {self.url}"


def shards_exist(url: str) -> bool:
    """Whether a folder or URL contains complete shards.

    Raises:
        ConnectionError: the URL cannot be read, e.g. because credentials are missing.
    """
    try:
        _frame_list(url)
    except FileNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, FileNotFoundError) or "404" in str(cause):
            return False
        raise ConnectionError(f"{url}: cannot be read ({cause})") from cause
    return True


def write_shards(reader: Reader, numbers: list[int], url: str, overwrite: bool = False) -> None:
    """Write frames of a reader to a folder or URL, on all cores. Image files are stored byte for byte.

    Args:
        reader: reader of the frames.
        numbers: indices of the frames to write, in order.
        url: folder, or URL supported by LitData.
        overwrite: replace existing shards.

    Raises:
        ImportError: LitData is not installed.
        RuntimeError: a frame cannot be read, shards exist already, or the destination cannot be written.
    """
    start_method = multiprocessing.get_start_method()
    options = {
        "chunk_bytes": CHUNK,
        "keep_data_ordered": True,
        "verbose": False,
        "mode": "overwrite" if overwrite else None,
        "start_method": "spawn" if "://" in url else start_method,  # cloud connections do not survive a fork
    }
    entries = [reader.entries[number] for number in numbers]
    frames = [(str(entry[0].resolve()), reader.scene(entry), reader.has_depth(entry)) for entry in entries]
    kept = {"truth": reader.truth, "licence": reader.licence, "source": str(reader), "frames": frames}
    content = json.dumps(kept).encode()
    workers = min(len(os.sched_getaffinity(0)), len(numbers))
    optimize = _litdata().optimize
    try:
        with _quiet_workers():
            optimize(partial(_encode, reader), numbers, url, num_workers=workers, **options)
            require_chunks(url)
            optimize(_as_sample, [content], f"{url}/{LIST}", num_workers=1, **options)
    except Exception as error:  # storage backends raise different types, some with very long messages
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RuntimeError(f"{url}: cannot write shards ({reason})") from error
    finally:
        multiprocessing.set_start_method(start_method, force=True)  # LitData changes it for the whole process
    _frame_list.cache_clear()


def require_chunks(url: str) -> None:
    """Read the first frame of each chunk. LitData's index also lists chunks whose upload failed.

    Raises:
        Exception: a chunk is missing. The type depends on LitData and the storage.
    """
    data = _litdata().StreamingDataset(url, batch_decode=0)
    first = 0
    for start, end in data.region_of_interest:
        data[first]
        first += end - start


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Suppress stderr of LitData's workers, which print tracebacks of errors that are also raised here."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _encode(reader: Reader, number: int) -> dict[str, Any]:
    frame = reader[number]
    depth, units_per_metre = encode_depth(frame.depth)
    inv_depth, label_units = (b"", 0.0) if frame.inv_depth is None else encode_depth(frame.inv_depth)
    return {
        "image": _image_bytes(frame),
        "depth": depth,
        "units_per_metre": units_per_metre,
        "inv_depth": inv_depth,
        "label_units": label_units,
        "intrinsics": frame.intrinsics,
        "pair": np.zeros(5, np.int64) if frame.pair is None else frame.pair,
        "synthetic": frame.domain == "synthetic",
    }


def _image_bytes(frame: Frame) -> bytes:
    """Content of the image file, or a PNG if the frame's image is not the decoded file. Both are lossless."""
    if frame.path.is_file():
        data = frame.path.read_bytes()
        if np.array_equal(decode_image(data, frame.path), frame.image):
            return data
    return encode_image(frame.image)


def _as_sample(content: bytes) -> dict[str, bytes]:
    return {"json": content}


@cache
def _frame_list(url: str) -> dict[str, Any]:
    litdata = _litdata()
    try:
        return dict(json.loads(bytes(litdata.StreamingDataset(f"{url}/{LIST}")[0]["json"])))
    except Exception as error:  # storage backends raise different types
        raise FileNotFoundError(
            f"{url}: shards are missing or incomplete; looked for {Shards.layout} ({error})"
        ) from error


@cache
def _open(url: str, process: int) -> Any:
    """Open the data set once per process. Its threads and connections do not survive a fork."""
    return _litdata().StreamingDataset(url, batch_decode=0)  # frames are read one by one, in any order


def _litdata() -> Any:
    try:
        import litdata
    except ImportError as error:
        raise ImportError("shards require LitData: pip install litdata google-cloud-storage") from error
    return litdata
