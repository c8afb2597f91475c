"""The one way to search the folders of data. Does not import torch."""

from __future__ import annotations

import fnmatch
import logging
import os
from collections import Counter
from pathlib import Path

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")  # of images
# What operating systems and network drives put beside the files of a user, in lower case; also what starts with a dot.
_SYSTEM_NAMES = {
    *("@eadir", "@recently-snapshot", "@recycle", "@tmp", "#recycle", "#snapshot"),  # network drives
    *("$recycle.bin", "desktop.ini", "system volume information", "thumbs.db"),  # Windows
    *("__macosx", "lost+found", "thumbs"),
}


def find_images(source: Path) -> list[Path]:
    """Find the images of a folder and its subfolders, by suffix; return a single file as it is.

    16-bit greyscale PNGs of a folder are skipped, because they are depth maps. Numbers and kinds of all skipped files
    are logged.

    Raises:
        FileNotFoundError: the path is missing, or the folder contains no image.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f"{source}: no such image or folder")
    images: list[Path] = []
    skipped: Counter[str] = Counter()
    for path in find_files(source):
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            skipped[suffix or "without a suffix"] += 1
        elif _is_depth_map(path):
            skipped["16-bit greyscale .png (depth maps)"] += 1
        else:
            images.append(path)
    counts = ", ".join(f"{number} {kind}" for kind, number in skipped.most_common())
    if not images:
        raise FileNotFoundError(f"{source}: no image in it ({', '.join(SUFFIXES)}); found {counts or 'nothing'}")
    if skipped:
        log.warning("%s: %d images; skipped other files: %s", source, len(images), counts)
    return images


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


def _is_depth_map(path: Path) -> bool:
    """Whether the header is that of a 16-bit greyscale PNG. A corrupt file is reported when it is read."""
    if path.suffix.lower() != ".png" or not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(26)
    except OSError:
        return False
    return head[12:16] == b"IHDR" and head[24:26] == bytes((16, 0))
