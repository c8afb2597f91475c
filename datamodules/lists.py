"""Text files that name frames: read within bounds, and their names kept inside the folder of the data."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path

Names = Sequence[str | int] | str | int  # in YAML, one name needs no brackets, and 0001 without quotes is the number 1
_MAX_MB = 256  # the longest published list has 4 MB
_MAX_NAME = 1024  # characters
_MAX_RANGE = 100_000
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Read a text file, UTF-8 or, with a byte order mark, UTF-16, both of which Windows programs write.

    Raises:
        ValueError: the file is no text or has more than 256 MB.
    """
    if path.stat().st_size > _MAX_MB * 2**20:
        raise ValueError(f"{path}: has {path.stat().st_size / 2**20:.0f} MB; a text file has at most {_MAX_MB}")
    data = path.read_bytes()
    text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig", errors="replace")
    if "\0" in text:
        raise ValueError(f"{path}: not a text file")
    return text


def read_list(path: Path) -> list[list[str]]:
    """Read the whitespace-separated fields of each line of a split file. Empty lines are skipped.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is no text or has no lines.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such split file")
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path}: the split file is empty")
    return lines


def inside(root: Path, name: str, source: Path) -> Path:
    """Path of a file that a list names, relative to the folder of the data. Links in the folder may lead elsewhere.

    Raises:
        ValueError: the name leads out of the folder, or is no file name.
    """
    if len(name) > _MAX_NAME or name.startswith("/") or ".." in Path(name).parts:
        raise ValueError(f"{source}: {shown(name)} is not a file below {root}")
    return root / name


def shown(text: str) -> str:
    """A line of a file, in quotes, for an error message; shortened if it is long."""
    return repr(text if len(text) <= 120 else f"{text[:117]}...")


def as_names(given: Names | None, number: str = "") -> list[str] | None:
    """Names given as one name, as several separated by commas, or as a list. None stays None.

    Args:
        given: the names.
        number: format of names that are whole numbers, e.g. ``{:04d}``; ranges such as ``1-3`` are then numbers, too.
            Without a format, names stay as they are.

    Raises:
        ValueError: a range of numbers is descending or has more than 100,000 numbers.
    """
    if given is None:
        return None
    listed = given.split(",") if isinstance(given, str) else [given] if isinstance(given, int) else given
    names = [str(name).strip() for name in listed]
    return [each for name in names for each in _numbered(name, number)] if number else names


def _numbered(name: str, number: str) -> list[str]:
    """The names of a number or of a range of numbers; a name that is neither stays as it is."""
    first, dash, last = (part.strip() for part in name.partition("-"))
    if not first.isdecimal() or (dash and not last.isdecimal()):
        return [name]
    if dash and not int(first) <= int(last) < int(first) + _MAX_RANGE:
        raise ValueError(f"{shown(name)} is not an ascending range of at most {_MAX_RANGE} numbers, e.g. 1-120")
    return [number.format(each) for each in range(int(first), int(last if dash else first) + 1)]
