"""One writer per output folder. Imports no torch."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

LOCK = ".lock"  # the names of all lock files start with it
_HELD = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def one_writer(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Lock a folder: no other process can write into it until the block ends.

    The kernel releases the lock of a process that dies. It is a POSIX record lock on a file in the folder, which works
    on local disks and, if the server's lock service runs, between the machines of an NFS. It is not inherited by
    processes that are started, and a process does not lock out itself. A file system without locks is not locked.

    The folder is created if it does not exist, and removed again if it is empty at the end.

    Args:
        folder: output folder.
        name: name of the lock file, for a folder that several processes share.

    Raises:
        RuntimeError: another process is writing there.
        OSError: the folder cannot be written.
    """
    absent = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(folder / name)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    try:
        yield
    finally:
        with suppress(OSError):  # of a disk that became read-only; it would hide the error of the block
            (folder / name).unlink(missing_ok=True)
        file.close()
        for each in absent:  # innermost first
            with suppress(OSError):  # not empty
                each.rmdir()


def read_part(shard: str) -> tuple[int, int]:
    """Number and count of the parts of work that is divided between machines: ``2/4`` is the second of four.

    Raises:
        ValueError: not PART/PARTS.
    """
    number, _, parts = shard.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise ValueError(f"shard {shard!r} must be PART/PARTS, e.g. 2/4 for the second of four")
    return int(number), int(parts)


def _locked(path: Path) -> TextIO:
    """Open and lock a file, and write process and machine into it."""
    while True:
        file = path.open("a+")
        try:
            _lock(file, path)
            if _is_same(file, path):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # its owner removed it between open and lock


def _lock(file: TextIO, path: Path) -> None:
    try:
        import fcntl  # not available on Windows, where nothing is locked

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return
    except OSError as error:
        if error.errno in _HELD:
            file.seek(0)
            owner = file.read() or "another process"
            raise RuntimeError(
                f"{path.parent}: {owner} is writing there; wait until it ends, or give another folder"
            ) from error
        if error.errno not in _NO_LOCKS:
            raise


def _is_same(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
