"""Atomic writes, and checks for existing output."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def refuse_existing(*paths: Path, overwrite: bool) -> None:
    """Raise FileExistsError if an output exists, unless ``overwrite`` is set."""
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise FileExistsError(f"{existing[0]}{more} exists already; give --overwrite or another --output")


def inside(folder: Path) -> list[Path]:
    """Files and folders in a folder; the path itself if it is a file; empty if it does not exist."""
    return sorted(folder.iterdir()) if folder.is_dir() else [folder] if folder.exists() else []


def model_file(path: Path) -> Path:
    """The best checkpoint of a run, if the path is the folder of a run; any other path unchanged.

    Raises:
        FileNotFoundError: a folder without ``checkpoints/best.ckpt``.
    """
    if not path.is_dir():
        return path
    best = path / "checkpoints" / "best.ckpt"
    if not best.is_file():
        others = sorted(path.glob("**/best.ckpt"))[:1] or sorted(path.glob("**/*.ckpt"))[:1]
        raise FileNotFoundError(
            f"{path}: a folder without {best.relative_to(path)}" + (f"; found {others[0]}" if others else "")
        )
    return best


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file atomically.

    Yields a temporary path, which is renamed to ``path`` if the block succeeds and removed otherwise.

    Raises:
        OSError: the file cannot be written, e.g. on a full disk. The message contains ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically, with an indent of two; raises OSError like :func:`atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a folder atomically, like :func:`atomic_write`.

    The block creates the folder at the yielded path. An existing ``path`` is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (path.with_name(f".{path.stem}.{os.getpid()}{mark}{path.suffix}") for mark in ("", ".old"))
    try:
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
