"""Atomic writes, and checks for existing output."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_FULL_BYTES = 65536  # less than a file system keeps for a file
_NAME = re.compile(r'\w[^\x00-\x1f\x7f/\\:*?"<>|]{0,63}(?<![ .])')  # valid on Linux, macOS, Windows and Android


def require_names(names: Iterable[object], source: str) -> None:
    """Check names in a user's file that become names of files or folders.

    Args:
        names: the names.
        source: file and kind of the names, for the error message.

    Raises:
        ValueError: a name is a path, is not text, is empty, hidden, too long or has a character that a file system does
            not allow; or two names differ in case only, which are one file on macOS and Windows.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"{source} {name!r} is not text; quote it, e.g. '{name}'")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{source} {name[:80]!r} cannot name a file: start with a letter or digit, use at most 64 characters "
                'and none of / \\ : * ? " < > |'
            )
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise ValueError(f"{source} {name!r} and {other!r} would be one file where case is ignored; rename one")


def refuse_existing(*paths: Path, overwrite: bool) -> None:
    """Check the outputs of a command before it does any work.

    Raises:
        FileExistsError: an output exists, unless ``overwrite`` is set.
        OSError: an output cannot be written there, e.g. on a read-only disk.
    """
    for path in paths:
        require_writable(path)
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
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with naming(path, temporary):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        except BaseException as error:
            with contextlib.suppress(OSError):  # of a read-only disk; it would hide the error
                temporary.unlink(missing_ok=True)
            if type(error) in (ValueError, RuntimeError) and temporary.name in str(error):
                raise type(error)(str(error).replace(temporary.name, path.name)) from error
            raise


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name ``path`` in the error of a disk that is full or read-only.

    Libraries raise such errors without a name, with the name of a temporary file, or as an error of their own.

    Raises:
        OSError: its message contains ``path``, and its cause.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        number = _number(error, path, temporary or path)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def require_writable(path: Path) -> None:
    """Raise OSError, with ``path``, if a file or folder of that name cannot be written."""
    nearest = next((each for each in (path, *path.absolute().parents) if each.exists()), path)
    if nearest != path and not nearest.is_dir():
        raise NotADirectoryError(f"{path}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK):
        number = errno.EROFS if os.statvfs(nearest).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(number, os.strerror(number), str(path))


def _number(error: Exception, path: Path, temporary: Path) -> int | None:
    """The number of an error of the disk that does not name ``path`` or another file; None for any other error."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno in _OF_THE_DISK):
        cause = cause.__cause__ or cause.__context__
    found = cause if isinstance(cause, OSError) else error
    if isinstance(found, OSError) and found.errno is not None:
        names = [Path(str(name)) for name in (found.filename, found.filename2) if name is not None]
        above = cause is not None and any(name in path.parents for name in names)
        return found.errno if not names or temporary in names or above else None
    folder = next(each for each in path.absolute().parents if each.exists())
    return errno.ENOSPC if shutil.disk_usage(folder).free < _FULL_BYTES else None


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically, with an indent of two; raises OSError like :func:`atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a folder atomically, like :func:`atomic_write`.

    The block creates the folder at the yielded path. An existing ``path`` is replaced.
    """
    temporary, old = (path.with_name(f".{path.stem}.{os.getpid()}{mark}{path.suffix}") for mark in ("", ".old"))
    try:
        with naming(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if path.exists():
                path.replace(old)
            temporary.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
