"""``pocketdepth label``: pseudo-label photographs with a teacher's inverse depth."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from torch import nn

from datamodules import Photos
from datamodules.depth_io import read_label, write_label
from datamodules.image_files import read_image
from datamodules.photos import label_path
from datamodules.reader import CorruptFrameError
from lightning_app.colormap import colour_depth
from lightning_app.config import build, read_yaml
from lightning_app.files import atomic_write
from lightning_app.one_writer import LOCK, one_writer, read_part
from lightning_app.step_cache import claim

SHEET = "sheet.png"
SHOWN, HEIGHT = 6, 192  # photographs on the sheet, and their height in pixels


def label(
    teacher: Path,
    images: Path,
    output: Path,
    settings: Path | None = None,
    mirror: bool = False,
    scales: Sequence[float] | None = None,
    shard: str = "1/1",
    jobs: int = 1,
    skip_corrupt: bool = False,
) -> None:
    """Write a label ``NAME.jpg.png`` for each photograph of a folder.

    A label is a 16-bit PNG of inverse depth up to scale and shift, of the same size as the photograph. Existing labels
    are kept, so that the same command resumes.

    Args:
        teacher: checkpoint or ONNX file.
        images: folder of photographs, searched recursively.
        output: folder of the labels, with the same subfolders; its ``settings.json`` identifies the teacher.
        settings: YAML with the input and output format of an ONNX file not written by PocketDepth.
        mirror: whether to average with the prediction for the flipped image.
        scales: input scales, as multiples of the teacher's input size; predictions are averaged. None for those of
            ``settings``.
        shard: part to label; ``2/4`` is the second of four parts, e.g. for one of four machines.
        jobs: number of processes; several processes use one thread each.
        skip_corrupt: whether to skip and report corrupt images.

    Raises:
        FileNotFoundError: no such model, YAML or folder, or no photograph in the folder.
        FileExistsError: ``output`` contains files that are not labels.
        ValueError: invalid settings, model or shard, or labels of another teacher in ``output``.
        CorruptFrameError: a corrupt image, unless ``skip_corrupt``.
        RuntimeError: the teacher's output has another shape or invalid values, or another process labels the same part.
    """
    number, parts = read_part(shard)
    photographs = Photos(str(images.resolve()))
    paths = photographs.paths[number - 1 :: parts]
    if output.resolve().is_relative_to(photographs.root):
        raise ValueError(
            f"{output}: labels inside the folder of photographs would be read as photographs; give another --output"
        )
    section = json.dumps(_section(teacher, settings, mirror, scales))
    with one_writer(output, f"{LOCK}-{number}-of-{parts}"):  # machines share the folder, each with its own part
        _write(section, paths, photographs.root, output, jobs, skip_corrupt)


def _write(section: str, paths: Sequence[Path], root: Path, output: Path, jobs: int, skip_corrupt: bool) -> None:
    claim(output, _teacher(section).fingerprint())
    wanted = [(path, label_path(path, root, output)) for path in paths]
    todo = [(source, target) for source, target in wanted if not target.is_file()]
    tasks = [(section, source, target, jobs > 1) for source, target in todo]
    corrupt = 0
    for problem in track(_run(tasks, jobs), "label", total=len(tasks)):
        if problem and not skip_corrupt:
            raise CorruptFrameError(problem)
        if problem:
            print(f"skipped: {problem}", file=sys.stderr)
            corrupt += 1
    done = [(source, target) for source, target in wanted if target.is_file()]
    if done:
        _draw(done, output / SHEET)
    notes = [f"{len(wanted) - len(todo)} cached"] if len(todo) < len(wanted) else []
    notes += [f"{corrupt} corrupt images skipped"] if corrupt else []
    print(f"{len(done)} labels -> {output}" + (f" ({', '.join(notes)})" if notes else ""))


def _section(teacher: Path, settings: Path | None, mirror: bool, scales: Sequence[float] | None) -> dict[str, Any]:
    """Configuration of the teacher, with class_path and init_args."""
    section: dict[str, Any] = {"class_path": "deploy.inference.Teacher", "init_args": {}}
    if settings is not None:
        section = read_yaml(settings)
        if not isinstance(section, dict) or not isinstance(section.get("init_args"), dict):
            raise ValueError(f"{settings}: has no class_path and init_args; see the examples in experiments/teachers")
    arguments = (
        {"file": str(teacher)} | ({"mirror": True} if mirror else {}) | ({"scales": list(scales)} if scales else {})
    )
    return {**section, "init_args": {**section["init_args"], **arguments}}


@cache
def _teacher(text: str) -> Any:
    """Build the teacher of a configuration (JSON), once per process."""
    section = json.loads(text)
    built: Any = build(nn.Module, [section], section["init_args"]["file"])
    if not hasattr(built, "fingerprint"):
        raise ValueError(f"{section['class_path']} is not a teacher; use deploy.inference.Teacher")
    return built.to("cuda" if torch.cuda.is_available() else "cpu")


def _run(tasks: Sequence[tuple[str, Path, Path, bool]], jobs: int) -> Iterator[str]:
    """Label photographs. Yields an error message for each, in order; it is empty for a labelled photograph."""
    if jobs == 1 or not tasks:
        yield from map(_label, tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks)), multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(_label, tasks)
        finally:
            pool.shutdown(cancel_futures=True)


def _label(task: tuple[str, Path, Path, bool]) -> str:
    section, source, target, single = task
    if single:
        torch.set_num_threads(1)
    teacher = _teacher(section)
    try:
        image = read_image(source)
    except CorruptFrameError as error:
        return str(error)
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(next(teacher.buffers()).device).float() / 255
    with atomic_write(target) as temporary:
        write_label(temporary, teacher(pixels)[0, 0].cpu().numpy())
    return ""


def _draw(labelled: Sequence[tuple[Path, Path]], path: Path) -> None:
    """Write a sheet of a few photographs, spread evenly, next to their labels."""
    rows = [_row(*pair) for pair in labelled[:: max(1, -(-len(labelled) // SHOWN))]]
    width = max(row.shape[1] for row in rows)
    sheet = [np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    with atomic_write(path) as temporary:
        Image.fromarray(np.concatenate(sheet)).save(temporary)


def _row(source: Path, target: Path) -> NDArray[np.uint8]:
    image, label = Image.fromarray(read_image(source)), Image.fromarray(colour_depth(1 / read_label(target)))
    width = max(1, round(image.width * HEIGHT / image.height))
    return np.concatenate([np.asarray(each.resize((width, HEIGHT))) for each in (image, label)], axis=1)
