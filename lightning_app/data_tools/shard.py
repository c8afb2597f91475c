"""``pocketdepth data shard``: the frames of readers as shards, and the YAML that trains from them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, track

from datamodules import Reader
from datamodules.check import check
from datamodules.shards import LIST, shards_exist, write_shards
from lightning_app.data_tools.sources import read_source
from lightning_app.files import atomic_write, refuse_existing


def shard_data(
    reader: str | None,
    arguments: Sequence[str],
    data: Sequence[Path],
    output: str,
    skip_corrupt: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the frames of a reader, or of each of a YAML's readers, as shards; for a YAML also ``data.yaml``, which
    given after it makes the same experiment read the shards.

    Args:
        reader: a class of ``datamodules``, or a class path.
        arguments: its own, as on the command line.
        data: YAMLs with a ``data`` section instead, the later wins.
        output: a folder, or a URL that LitData writes to (``s3://…``, ``gs://…``); for a YAML its readers get a
            folder each below it, and beside a URL ``data.yaml`` goes into the current folder.
        skip_corrupt: leave corrupt frames out, instead of refusing.
        overwrite: replace the shards that are there, and nothing else.

    Raises:
        FileExistsError: there are outputs already, or files that are no shards.
        FileNotFoundError: files of frames that are not there.
        ImportError: LitData is not installed.
        ValueError: a reader or YAML that does not fit.
        RuntimeError: a corrupt frame.
    """
    readers, module = read_source(reader, arguments, data)
    remote = "://" in output
    targets = {name: output if module is None else f"{output.rstrip('/')}/{name}" for name in readers}
    overlay = Path("data.yaml") if remote else Path(output, "data.yaml")
    refuse_existing(
        *([] if remote else map(Path, targets.values())), *([overlay] if module else []), overwrite=overwrite
    )
    foreign = [file for target in targets.values() if not remote for file in _foreign(Path(target))]
    if foreign:
        raise FileExistsError(f"{foreign[0]} is no part of shards and would be lost; give another --output")
    there = [url for url in targets.values() if remote and not overwrite and shards_exist(url)]
    if there:
        raise FileExistsError(f"{there[0]}: there are shards already; give --overwrite or another --output")
    whole = {name: _whole(each, name, skip_corrupt) for name, each in readers.items()}
    for name, each in readers.items():
        with Progress(TextColumn("write {task.description}"), BarColumn(), TimeElapsedColumn()) as bar:
            bar.add_task(name, total=None)  # LitData says nothing before a worker is done
            if remote:
                write_shards(each, whole[name], targets[name], overwrite)
            else:
                _write_folder(each, whole[name], Path(targets[name]))
        print(f"{name}: {len(whole[name])} frames of {each} -> {targets[name]}")
    if module is not None:
        splits = {"train": module.train, "val": module.val, "test": module.test}
        roots = iter(targets.values() if remote else (str(Path(target).absolute()) for target in targets.values()))
        section = {
            split: [{"class_path": "datamodules.Shards", "init_args": {"root": next(roots)}} for _ in each]
            for split, each in splits.items()
        }
        with atomic_write(overlay) as temporary:
            temporary.write_text(yaml.safe_dump({"data": {"init_args": section}}, sort_keys=False))
        print(f"train from them: pocketdepth fit {' '.join(f'-c {path}' for path in data)} -c {overlay}")


def _foreign(folder: Path) -> list[Path]:
    """What lies in a folder, or is one, and was not written as shards."""
    if not folder.is_dir():
        return [folder] if folder.exists() else []
    own = ("index.json", "chunk-*.bin", LIST)
    return [file for file in sorted(folder.iterdir()) if not any(file.match(pattern) for pattern in own)]


def _whole(reader: Reader, name: str, skip_corrupt: bool) -> list[int]:
    """The frames that can be read."""
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
    """Beside the folder first, so that it is never half-written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        write_shards(reader, numbers, str(temporary.absolute()))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
