"""Frames of any reader as shards, for data that does not fit on one machine: in a folder, on S3 or on GCS.

LitData writes and fetches them, a byte range for each frame. Which frame is asked for is the sampler's matter, as with
files: the same mixture, order, resuming and split over ranks.
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

from datamodules.depth_io import decode_depth, decode_image, encode_depth, encode_image
from datamodules.reader import CorruptFrameError, Domain, Frame, Licence, Reader, Truth, data_path

CHUNK = "64MB"
LIST = "list"  # beside the chunks, written last: the frames' names as one sample of a data set of its own


class _Entry(NamedTuple):
    image: Path
    number: int
    scene: str
    has_depth: bool


class Shards(Reader):
    """Frames that ``pocketdepth data shard`` wrote; they are those of the reader that it was given, to the last bit.

    Args:
        root: folder, relative to the data root, or a URL that LitData reads: ``s3://…``, ``gs://…``.

    Raises:
        FileNotFoundError: no shards there, or they were not written to the end.
        ImportError: LitData, the extra ``shards``, is not installed.
    """

    layout = "shards as `pocketdepth data shard` writes them: index.json, chunk-*.bin and list/"

    def __init__(self, root: str) -> None:
        self.url = root if "://" in root else str(data_path(root))
        self.root = Path(root)

    @property
    def truth(self) -> Truth:  # type: ignore[override]
        """What the depth of the reader was that they were written from."""
        return cast(Truth, _list(self.url)["truth"])

    @property
    def licence(self) -> Licence:  # type: ignore[override]
        """That of the reader that they were written from; it was not always kept."""
        kept = _list(self.url).get("licence")
        return Licence(*kept) if kept else Licence(f"shards of {self}", "those of what they hold", None)

    def scan(self) -> list[_Entry]:
        frames = _list(self.url)["frames"]
        if "://" not in self.url:
            self._require_whole_chunks(Path(self.url))
        return [_Entry(Path(path), number, scene, known) for number, (path, scene, known) in enumerate(frames)]

    def scene(self, entry: _Entry) -> str:
        return entry.scene

    def has_depth(self, entry: _Entry) -> bool:
        return entry.has_depth

    def files(self, entry: _Entry) -> list[Path]:
        return []  # no files of its own; a chunk that is missing shows when it is read

    def read(self, entry: _Entry) -> Frame:
        try:
            sample = _open(self.url, os.getpid())[entry.number]
            depth = decode_depth(sample["depth"], sample["units_per_metre"])
            inv_depth = decode_depth(sample["inv_depth"], sample["label_units"]) if sample["inv_depth"] else None
        except (OSError, ValueError, RuntimeError, IndexError, KeyError, TypeError) as error:
            raise CorruptFrameError(f"{self.url}: frame {entry.number}, {entry.image}, is corrupt ({error})") from error
        image = decode_image(bytes(sample["image"]), entry.image)
        pair = sample["pair"] if sample["pair"].any() else None
        domain: Domain = "synthetic" if sample["synthetic"] else "real"
        return Frame(image, depth, sample["intrinsics"], domain, entry.image, pair, inv_depth)

    def _require_whole_chunks(self, folder: Path) -> None:
        """LitData would wait for each frame of a chunk that is not there."""
        for chunk in json.loads((folder / "index.json").read_text())["chunks"]:
            file = folder / chunk["filename"]
            size = file.stat().st_size if file.is_file() else 0
            if size < chunk["chunk_bytes"]:
                raise FileNotFoundError(f"{file}: {size} of its {chunk['chunk_bytes']} bytes are there")

    def __str__(self) -> str:
        try:
            return str(_list(self.url)["source"])
        except FileNotFoundError:
            return f"Shards {self.url}"


def shards_exist(url: str) -> bool:
    """Whether there are shards, written to the end, in a folder or at a URL.

    Raises:
        ConnectionError: the URL cannot be read, for want of credentials, say.
    """
    try:
        _list(url)
    except FileNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, FileNotFoundError) or "404" in str(cause):
            return False
        raise ConnectionError(f"{url}: cannot be read ({cause})") from cause
    return True


def write_shards(reader: Reader, numbers: list[int], url: str, overwrite: bool = False) -> None:
    """Write frames of a reader to a folder or URL, on all cores; an image keeps its file's bytes.

    Args:
        reader: of the frames.
        numbers: which of its frames, in order.
        url: a folder, or a URL that LitData writes to.
        overwrite: replace the shards that are there.

    Raises:
        ImportError: LitData is not installed.
        RuntimeError: a frame that cannot be read, shards that are there, or a place that cannot be written to.
    """
    start_method = multiprocessing.get_start_method()
    options = {
        "chunk_bytes": CHUNK,
        "keep_data_ordered": True,
        "verbose": False,
        "mode": "overwrite" if overwrite else None,
        "start_method": "spawn" if "://" in url else start_method,  # connections do not survive a fork
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
    except Exception as error:  # each kind of storage raises its own, some a page long
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RuntimeError(f"{url}: not written ({reason})") from error
    finally:
        multiprocessing.set_start_method(start_method, force=True)  # LitData sets its own for the whole process
    _list.cache_clear()


def require_chunks(url: str) -> None:
    """Read the first frame of each chunk, for LitData's index also names chunks whose upload failed.

    Raises:
        Exception: of LitData or of the storage, where a chunk is not there.
    """
    data = _litdata().StreamingDataset(url, batch_decode=0)
    first = 0
    for start, end in data.region_of_interest:
        data[first]
        first += end - start


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Hold back what LitData's processes print on standard error: tracebacks of what is raised here, too."""
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
    """The image's file, unless the frame is something else than that; then a PNG, which loses nothing either."""
    if frame.path.is_file():
        data = frame.path.read_bytes()
        if np.array_equal(decode_image(data, frame.path), frame.image):
            return data
    return encode_image(frame.image)


def _as_sample(content: bytes) -> dict[str, bytes]:
    return {"json": content}


@cache
def _list(url: str) -> dict[str, Any]:
    litdata = _litdata()
    try:
        return dict(json.loads(bytes(litdata.StreamingDataset(f"{url}/{LIST}")[0]["json"])))
    except Exception as error:  # each kind of storage raises its own
        raise FileNotFoundError(
            f"{url}: no shards, or not written to the end; looked for {Shards.layout} ({error})"
        ) from error


@cache
def _open(url: str, process: int) -> Any:
    """The data set, opened once by each process: its threads and connections do not survive a fork."""
    return _litdata().StreamingDataset(url, batch_decode=0)  # frames are asked for one by one, in any order


def _litdata() -> Any:
    try:
        import litdata
    except ImportError as error:
        raise ImportError("shards need LitData: pip install 'pocketdepth[shards]'") from error
    return litdata
