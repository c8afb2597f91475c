"""``pocketdepth data shard``: convert frames to shards."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, track

from datamodules import Reader
from datamodules.check import check
from datamodules.shard_writing import write_shards
from datamodules.shards import LIST, shards_exist
from lightning_app.data_tools.sources import read_source
from lightning_app.files import atomic_write, refuse_existing
from lightning_app.one_writer import LOCK, one_writer


def shard_data(
    reader: str | None,
    arguments: Sequence[str],
    data: Sequence[Path],
    output: str,
    skip_corrupt: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the frames of a reader, or of all readers of YAMLs, as shards.

    For YAMLs, ``data.yaml`` is written too. Passed after them, it makes the same experiment read the shards.

    Args:
        reader: name of a reader in ``datamodules``, or a class path; None to use ``data``.
        arguments: arguments of the reader, as on the command line.
        data: YAMLs with a ``data`` section, instead of a reader; later files override earlier ones.
        output: folder, or URL that LitData supports (``s3://…``, ``gs://…``). For YAMLs, it gets a subfolder for each
            reader; with a URL, ``data.yaml`` is written to the working folder.
        skip_corrupt: whether to skip and report corrupt frames.
        overwrite: whether to replace existing shards; other files are never replaced.

    Raises:
        FileExistsError: existing output, or files that are not shards.
        FileNotFoundError: missing files of frames.
        ImportError: LitData is not installed.
        ValueError: an invalid reader or YAML.
        OSError: the output cannot be written, e.g. on a full disk.
        RuntimeError: a corrupt frame.
    """
    readers, module = read_source(reader, arguments, data)
    remote = "://" in output
    targets = {name: output if module is None else f"{output.rstrip('/')}/{name}" for name in readers}
    overlay = Path("data.yaml") if remote else Path(output, "data.yaml")
    refuse_existing(
        *([] if remote else map(Path, targets.values())), *([overlay] if module else []), overwrite=overwrite
    )
    other_files = [file for target in targets.values() if not remote for file in _other_files(Path(target))]
    if other_files:
        raise FileExistsError(f"{other_files[0]} is not part of shards and would be removed; give another --output")
    existing = [url for url in targets.values() if remote and not overwrite and shards_exist(url)]
    if existing:
        raise FileExistsError(f"{existing[0]}: shards exist already; give --overwrite or another --output")
    readable = {name: _readable(each, name, skip_corrupt) for name, each in readers.items()}
    for name, each in readers.items():
        with Progress(TextColumn("write {task.description}"), BarColumn(), TimeElapsedColumn()) as bar:
            bar.add_task(name, total=None)  # LitData reports no progress
            if remote:
                write_shards(each, readable[name], targets[name], overwrite)
            else:
                _write_folder(each, readable[name], Path(targets[name]))
        print(f"{name}: {len(readable[name])} frames of {each} -> {targets[name]}")
    if module is not None:
        splits = {"train": module.train, "val": module.val, "test": module.test}
        roots = iter(targets.values() if remote else (str(Path(target).absolute()) for target in targets.values()))
        section = {
            split: [{"class_path": "datamodules.Shards", "init_args": {"root": next(roots)}} for _ in each]
            for split, each in splits.items()
        }
        with atomic_write(overlay) as temporary:
            temporary.write_text(yaml.safe_dump({"data": {"init_args": section}}, sort_keys=False))
        print(f"to train from the shards: pocketdepth fit {' '.join(f'-c {path}' for path in data)} -c {overlay}")


def _other_files(folder: Path) -> list[Path]:
    """Files in a folder that are not part of shards; the path itself if it is a file."""
    if not folder.is_dir():
        return [folder] if folder.exists() else []
    own = ("index.json", "chunk-*.bin", LIST)
    return [file for file in sorted(folder.iterdir()) if not any(file.match(pattern) for pattern in own)]


def _readable(reader: Reader, name: str, skip_corrupt: bool) -> list[int]:
    """Indices of the frames that can be read."""
    if not skip_corrupt:
        reader.require_files()
    reports = list(track(check(reader), f"check {name}", total=len(reader)))
    corrupt = [report.problem for report in reports if not report.size[0]]
    for problem in corrupt if skip_corrupt else ():
        print(f"skipped: {problem}", file=sys.stderr)
    if corrupt and (not skip_corrupt or len(corrupt) == len(reports)):
        raise RuntimeError(f"{name}: {len(corrupt)} of {len(reports)} frames are corrupt, e.g. {corrupt[0]}")
    return [number for number, report in enumerate(reports) if report.size[0]]


def _write_folder(reader: Reader, numbers: list[int], folder: Path) -> None:
    """Write shards to a temporary folder, then rename it, so that ``folder`` is never incomplete."""
    temporary = folder.with_name(f".{folder.name}.partial")
    with one_writer(folder.parent, f"{LOCK}-{folder.name}"):
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            write_shards(reader, numbers, str(temporary.absolute()))
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        except OSError as error:  # e.g. a full disk
            if error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(folder)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
