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


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file atomically.

    Yields a temporary path, which is renamed to ``path`` if the block succeeds and removed otherwise.

    Raises:
        OSError: the file cannot be written, e.g. on a full disk. The message contains ``path``.
        ValueError, RuntimeError: those of the block, with ``path`` in place of the temporary path.
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
    except (ValueError, RuntimeError) as error:
        if type(error) not in (ValueError, RuntimeError) or temporary.name not in str(error):
            raise
        raise type(error)(str(error).replace(temporary.name, path.name)) from error
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
