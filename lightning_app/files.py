"""Output files: refused where they exist, never half-written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def refuse_existing(*paths: Path, overwrite: bool) -> None:
    """Raise FileExistsError where an output exists already and ``overwrite`` was not asked for."""
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise FileExistsError(f"{existing[0]}{more} exists already; give --overwrite or another --output")


def inside(folder: Path) -> list[Path]:
    """What lies in a folder, or the file itself that stands in its place."""
    return sorted(folder.iterdir()) if folder.is_dir() else [folder] if folder.exists() else []


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name once the block has ended well, and is removed otherwise.

    Raises:
        OSError: it cannot be written, on a full disk for one; names ``path``, which a failed write does not by itself.
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
    """Write JSON with an indent of two; raises OSError as :func:`atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, which the block makes; one that exists is replaced by it."""
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
