"""Write shards, see :mod:`datamodules.shards`."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from datamodules.depth_io import encode_depth
from datamodules.image_files import decode_image, encode_image
from datamodules.reader import Frame, Reader
from datamodules.shards import LIST, frame_list, import_litdata, open_shards

CHUNK = 64_000_000  # bytes


def write_shards(reader: Reader, numbers: list[int], url: str, overwrite: bool = False) -> None:
    """Write frames of a reader to a folder or URL, on all cores. Image files are stored byte for byte.

    Args:
        reader: reader of the frames.
        numbers: indices of the frames to write, in order.
        url: folder, or URL supported by LitData.
        overwrite: replace existing shards at a URL. A folder must not exist.

    Raises:
        ImportError: LitData is not installed.
        OSError: a folder cannot be written, e.g. on a full disk.
        RuntimeError: a frame cannot be read, or a URL cannot be written.
        ValueError: the reader reads neighbours, which shards do not store.
    """
    if reader.neighbours:
        raise ValueError(f"{reader}: shards do not store neighbours; leave out neighbours: {list(reader.neighbours)}")
    entries = [reader.entries[number] for number in numbers]
    frames = [(str(entry[0].resolve()), reader.scene(entry), reader.has_depth(entry)) for entry in entries]
    kept = {"truth": reader.truth, "licence": reader.licence, "source": str(reader), "frames": frames}
    content = json.dumps(kept).encode()
    workers = min(len(os.sched_getaffinity(0)), len(numbers))
    if "://" in url:
        _upload(reader, numbers, content, url, workers, overwrite)
    else:
        encoded = DataLoader(_Encoded(reader, numbers), batch_size=None, num_workers=workers, collate_fn=_identity)
        _write(encoded, url)
        _write([_as_sample(content)], f"{url}/{LIST}")
    frame_list.cache_clear()


class _Encoded(Dataset[dict[str, Any]]):
    def __init__(self, reader: Reader, numbers: list[int]) -> None:
        self.reader, self.numbers = reader, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return _encode(self.reader, self.numbers[place])


def _identity(sample: Any) -> Any:
    return sample


def _write(samples: Iterable[dict[str, Any]], folder: str) -> None:
    """Write chunks in this process. If those of LitData's ``optimize`` meet a full disk, they never end."""
    import_litdata()
    from litdata.streaming.cache import Cache

    Path(folder).mkdir(parents=True)
    cache = Cache(folder, chunk_bytes=CHUNK)
    for number, sample in enumerate(samples):
        cache[number] = sample
    cache.done()
    cache.merge()


def _upload(reader: Reader, numbers: list[int], content: bytes, url: str, workers: int, overwrite: bool) -> None:
    """Write chunks to a URL with processes of LitData, by way of the folder for temporary files."""
    free, needed = shutil.disk_usage(tempfile.gettempdir()).free, 2 * workers * CHUNK
    if free < needed:  # LitData would wait for ever
        raise OSError(errno.ENOSPC, f"no space left for {needed / 1e6:.0f} MB of chunks", tempfile.gettempdir())
    start_method = multiprocessing.get_start_method()
    options = {
        "chunk_bytes": CHUNK,
        "keep_data_ordered": True,
        "verbose": False,
        "mode": "overwrite" if overwrite else None,
        "start_method": "spawn",  # cloud connections do not survive a fork
    }
    optimize = import_litdata().optimize
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


def require_chunks(url: str) -> None:
    """Read the first frame of each chunk. LitData's index also lists chunks whose upload failed.

    Raises:
        Exception: a chunk is missing. The type depends on LitData and the storage.
    """
    data = open_shards(url)
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
        "image": _image_bytes(frame, reader.files(reader.entries[number])),
        "depth": depth,
        "units_per_metre": units_per_metre,
        "inv_depth": inv_depth,
        "label_units": label_units,
        "intrinsics": frame.intrinsics,
        "pair": np.zeros(5, np.int64) if frame.pair is None else frame.pair,
        "synthetic": frame.domain == "synthetic",
    }


def _image_bytes(frame: Frame, files: list[Path]) -> bytes:
    """Content of the image file, or a PNG if the frame's image is not the decoded file. Both are lossless."""
    if frame.path in files and frame.path.is_file():  # the path in shards is only a name
        data = frame.path.read_bytes()
        if np.array_equal(decode_image(data, frame.path), frame.image):
            return data
    return encode_image(frame.image)


def _as_sample(content: bytes) -> dict[str, bytes]:
    return {"json": content}
