"""``pocketdepth profile --loader``: compare data loading with reading and decoding the same files."""

from __future__ import annotations

import json
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import cv2
import imagecodecs
import numpy as np
import simplejpeg
import torch
from rich.box import SIMPLE_HEAD
from rich.progress import track
from rich.table import Table

from datamodules import Augmentation, DepthDataModule, Reader, Shards
from datamodules.lidar import project, read_camera, read_scan, read_velo_to_cam
from datamodules.sampler import MixtureSampler
from lightning_app.data_tools.sources import read_source
from lightning_app.evaluation.tables import print_table
from lightning_app.files import atomic_write, refuse_existing

FRAMES = 96  # maximum per run
BATCH = 8
FLOOR, LOADER = "floor", "+ batching (loader)"


@dataclass(frozen=True)
class Row:
    """Time of data loading up to one stage, including all earlier stages.

    Attributes:
        data: name of the reader.
        stage: name of the stage.
        ms: milliseconds per frame, median of the runs.
        per_s: frames per second on one core.
        of_floor: frames per second relative to the floor.
    """

    data: str
    stage: str
    ms: float
    per_s: float
    of_floor: float


def benchmark_loader(
    reader: str | None,
    arguments: Sequence[str],
    data: Sequence[Path],
    size: tuple[int, int] | None = None,
    runs: int = 9,
    shards: str | None = None,
    output: Path | None = None,
    overwrite: bool = False,
) -> list[Row]:
    """Time the stages of data loading on one core, interleaved with a lower bound (floor), and print the table.

    The floor reads and decodes the same files with fast decoders (simplejpeg, imagecodecs), projects LiDAR points if
    there are any, and resizes the image once.

    Args:
        reader: name of a reader in ``datamodules``, or a class path; None to use ``data``.
        arguments: arguments of the reader, as on the command line.
        data: YAMLs with a ``data`` section, instead of a reader; later files override earlier ones. The training
            readers are timed.
        size: (height, width) of the samples; None for the YAML's size or 192x640.
        runs: timed runs per stage, interleaved.
        shards: folder or URL of the same frames as shards, to compare.
        output: JSON file to write.
        overwrite: whether to replace an existing ``output``.

    Raises:
        FileNotFoundError: missing files.
        FileExistsError: ``output`` exists.
        ValueError: an invalid reader or YAML, or a file type that the floor does not support.
    """
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    named, module = read_source(reader, arguments, data, option="-c")
    readers = list(named.values()) if module is None else module.train
    size = size or (module.size if module else (192, 640))
    if not readers:
        raise ValueError("the data section names no reader under train")
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    if shards is not None and len(readers) > 1:
        raise ValueError("--shards can be compared with one reader only; give the reader instead of a YAML")
    rows = [row for each in readers for row in _time(each, size, runs, shards)]
    _print(
        rows, f"One core of {platform.processor() or platform.machine()}, {size[0]}x{size[1]}, {runs} interleaved runs"
    )
    if output is not None:
        with atomic_write(output) as temporary:
            temporary.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return rows


def _time(reader: Reader, size: tuple[int, int], runs: int, shards: str | None) -> list[Row]:
    reader.require_files()
    plain, noisy = (_loader(reader, size, photometric) for photometric in (0.0, 0.5))
    batches = min(len(plain), max(1, FRAMES // BATCH))
    sampler = cast(MixtureSampler, plain.batch_sampler)
    draws = [draw for step in range(batches) for draw in sampler.batch(step)]
    augment = Augmentation(photometric=0)
    floors = [_floor(reader, draw.frame, size) for draw in draws]
    stages: dict[str, Callable[[], Iterable[object]]] = {
        FLOOR: lambda: (floor() for floor in floors),
        "read": lambda: (reader[draw.frame] for draw in draws),
        "+ crop, resize, flip": lambda: (augment(reader[draw.frame], size, draw.key) for draw in draws),
        LOADER: lambda: islice(plain, batches),
        "+ photometric noise": lambda: islice(noisy, batches),
    }
    if shards is not None:
        same = Shards(shards)
        if [path.resolve() for path in reader.paths] != same.paths:
            raise ValueError(f"{shards}: does not contain the frames of {reader}")
        from_shards = _loader(same, size, 0.0)
        stages |= {
            "shards: read": lambda: (same[draw.frame] for draw in draws),
            "shards: loader": lambda: islice(from_shards, batches),
        }
    times: dict[str, list[float]] = {stage: [] for stage in stages}
    for run in track(range(runs + 1), f"benchmark {reader}"):
        for stage, call in stages.items():
            start = time.perf_counter()
            deque(call(), maxlen=0)  # discard the results, as in training
            if run:  # the first run is a warm-up
                times[stage].append((time.perf_counter() - start) / len(draws))
    floor = np.median(times[FLOOR])
    return [
        Row(str(reader), stage, 1e3 * median, 1 / median, float(floor / median))
        for stage, median in ((stage, float(np.median(values))) for stage, values in times.items())
    ]


def _loader(reader: Reader, size: tuple[int, int], photometric: float) -> Any:
    augmentation = Augmentation(photometric=photometric)
    return DepthDataModule(
        [reader], [], [], size=size, batch_size=min(BATCH, len(reader)), workers=0, augmentation=augmentation
    ).train_dataloader()


def _floor(reader: Reader, index: int, size: tuple[int, int]) -> Callable[[], object]:
    """The minimum work for a frame: read and decode its files, and resize the image once."""
    entry = reader.entries[index]
    image, *others = (file for file in reader.files(entry) if file.is_file() and file.suffix != ".txt")
    matrix = None
    if any(file.suffix == ".bin" for file in others):
        matrix = read_camera(entry.calibration, entry.camera).projection @ read_velo_to_cam(entry.calibration)
    decoders: dict[str, Callable[[bytes], Any]] = {
        ".jpg": simplejpeg.decode_jpeg,
        ".jpeg": simplejpeg.decode_jpeg,
        ".png": imagecodecs.png_decode,
    }
    unknown = [file for file in (image, *others) if file.suffix not in (*decoders, ".bin")]
    if unknown:
        raise ValueError(f"{unknown[0]}: the floor supports only {', '.join(decoders)} and .bin files")

    def load() -> None:
        pixels = decoders[image.suffix](image.read_bytes())
        for file in others:
            if file.suffix == ".bin":
                assert matrix is not None
                project(read_scan(file), matrix, pixels.shape[:2], "camera_z")
            else:
                decoders[file.suffix](file.read_bytes())
        height, width = pixels.shape[:2]
        part = pixels[height // 10 : -height // 10, width // 10 : -width // 10]  # training also crops
        cv2.resize(part, size[::-1], interpolation=cv2.INTER_LINEAR)

    return load


def _print(rows: Sequence[Row], title: str) -> None:
    table = Table(box=SIMPLE_HEAD)
    for name in ("data set", "stage"):
        table.add_column(name)
    for name in ("ms/frame", "frames/s", "relative to floor"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = f"{row.ms:.2f}", f"{row.per_s:.0f}", f"{row.of_floor:.2f}"
        first, last = row.stage == FLOOR, row is rows[-1] or rows[rows.index(row) + 1].stage == FLOOR
        table.add_row(row.data if first else "", row.stage, *figures, end_section=last)
    print_table(table, title)
