"""The one way to search the folders of data. Does not import torch."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

# What operating systems and network drives put beside the files of a user, in lower case; also what starts with a dot.
_SYSTEM_NAMES = {
    *("@eadir", "@recently-snapshot", "@recycle", "@tmp", "#recycle", "#snapshot"),  # network drives
    *("$recycle.bin", "desktop.ini", "system volume information", "thumbs.db"),  # Windows
    *("__macosx", "lost+found", "thumbs"),
}


def find_files(folder: Path, pattern: str = "*") -> list[Path]:
    """Find the files of a folder and its subfolders, sorted.

    Links are followed, but each folder is read once, so links may form circles. Hidden files and folders are skipped,
    as are those of operating systems and network drives, e.g. ``@eaDir`` and ``__MACOSX``.

    Args:
        folder: folder to search.
        pattern: pattern of the file names, with the wildcards of a shell.

    Raises:
        OSError: a subfolder cannot be read.
    """
    found: list[Path] = []
    read: set[str] = set()
    pending = [folder]  # what links lead to comes last, so that files keep the path that has no link
    while pending:
        for parent, folders, names in os.walk(pending.pop(0), onerror=_raise):
            identity = os.path.realpath(parent)
            folders[:] = [] if identity in read else sorted(name for name in folders if not _is_system(name))
            if identity in read:
                continue
            read.add(identity)
            pending += [path for name in folders if (path := Path(parent, name)).is_symlink()]
            visible = (name for name in names if not _is_system(name))
            found += [Path(parent, name) for name in visible if fnmatch.fnmatchcase(name, pattern)]
    return sorted(found)


def list_folder(folder: Path, pattern: str = "*") -> list[Path]:
    """List what :func:`find_files` does not skip in a folder: its files and folders, sorted, without subfolders."""
    return sorted(path for path in folder.glob(pattern) if not _is_system(path.name))


def _raise(error: OSError) -> None:
    raise error


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES
