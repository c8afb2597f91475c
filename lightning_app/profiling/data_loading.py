"""``pocketdepth profile --loader``: the loader against the floor of reading and decoding the same files."""

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

from datamodules import Augmentation, DepthDataModule, KittiRaw, Reader, Shards
from datamodules.lidar import project, read_calibration, read_scan
from datamodules.sampler import MixtureSampler
from lightning_app.data_tools.sources import read_source
from lightning_app.evaluation.tables import print_table
from lightning_app.files import atomic_write, refuse_existing

FRAMES = 96  # of a run, at most
BATCH = 8
FLOOR, LOADER = "floor", "+ batches: the loader"


@dataclass(frozen=True)
class Row:
    """One stage of loading, with all before it.

    Attributes:
        data: the reader.
        stage: what is timed.
        ms: of a frame, median of the runs.
        per_s: frames per second and core.
        of_floor: frames per second over the floor's.
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
    """Time loading on one core, stage by stage, in turn with its floor, and print the table.

    The floor reads and decodes the same files with the fastest well-kept decoders (simplejpeg, imagecodecs), projects
    LiDAR where there is any, and resizes the image once.

    Args:
        reader: a class of ``datamodules``, or a class path.
        arguments: its own, as on the command line.
        data: YAMLs with a ``data`` section instead, the later wins; its training readers are timed.
        size: (height, width) of the samples; the YAML's, or 192x640, if left out.
        runs: timed runs of each stage, interleaved.
        shards: folder or URL of the reader's frames as shards, to be timed beside it.
        output: JSON file.
        overwrite: replace an ``output`` that exists.

    Raises:
        FileNotFoundError: files that are not there.
        FileExistsError: ``output`` exists.
        ValueError: a reader or YAML that does not fit, or files of which no floor is known.
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
        raise ValueError("shards are timed beside one reader; name it instead of a YAML")
    rows = [row for each in readers for row in _time(each, size, runs, shards)]
    _print(rows, f"One core of {platform.processor() or platform.machine()}, {size[0]}x{size[1]}, {runs} runs in turn")
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
            raise ValueError(f"{shards}: not the frames of {reader}")
        from_shards = _loader(same, size, 0.0)
        stages |= {
            "shards: read": lambda: (same[draw.frame] for draw in draws),
            "shards: the loader": lambda: islice(from_shards, batches),
        }
    times: dict[str, list[float]] = {stage: [] for stage in stages}
    for run in track(range(runs + 1), f"benchmark {reader}"):
        for stage, call in stages.items():
            start = time.perf_counter()
            deque(call(), maxlen=0)  # nothing is kept, as in training
            if run:  # the first fills caches
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
    """What nobody can do without: reading and decoding a frame's files, and one resize of its image."""
    entry = reader.entries[index]
    image, *others = (file for file in reader.files(entry) if file.is_file() and file.suffix != ".txt")
    matrix = read_calibration(entry.calibration, entry.camera).velo_to_image if isinstance(reader, KittiRaw) else None
    decoders: dict[str, Callable[[bytes], Any]] = {
        ".jpg": simplejpeg.decode_jpeg,
        ".jpeg": simplejpeg.decode_jpeg,
        ".png": imagecodecs.png_decode,
    }
    unknown = [file for file in (image, *others) if file.suffix not in (*decoders, ".bin")]
    if unknown:
        raise ValueError(f"{unknown[0]}: the benchmark knows the floor of {', '.join(decoders)} and .bin files alone")

    def load() -> None:
        pixels = decoders[image.suffix](image.read_bytes())
        for file in others:
            if file.suffix == ".bin":
                assert matrix is not None
                project(read_scan(file), matrix, pixels.shape[:2], "camera_z")
            else:
                decoders[file.suffix](file.read_bytes())
        height, width = pixels.shape[:2]
        part = pixels[height // 10 : -height // 10, width // 10 : -width // 10]  # training crops, too
        cv2.resize(part, size[::-1], interpolation=cv2.INTER_LINEAR)

    return load


def _print(rows: Sequence[Row], title: str) -> None:
    table = Table(box=SIMPLE_HEAD)
    for name in ("data set", "stage"):
        table.add_column(name)
    for name in ("ms a frame", "frames/s", "of the floor"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = f"{row.ms:.2f}", f"{row.per_s:.0f}", f"{row.of_floor:.2f}"
        first, last = row.stage == FLOOR, row is rows[-1] or rows[rows.index(row) + 1].stage == FLOOR
        table.add_row(row.data if first else "", row.stage, *figures, end_section=last)
    print_table(table, title)
