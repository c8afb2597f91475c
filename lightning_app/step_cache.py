"""Cache of pipeline steps, and checks of a folder's settings. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datamodules.folders import find_files
from lightning_app.files import write_json
from lightning_app.one_writer import LOCK

SETTINGS = "settings.json"


class StepCache:
    """Runs the steps of a pipeline and skips finished ones.

    A step runs again only if its inputs changed or its output is missing or damaged.

    Args:
        folder: folder of ``steps.json``, which contains the inputs and the digest of the output of the finished steps.

    Raises:
        ValueError: a corrupt ``steps.json``.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "steps.json"
        known = self.path.is_file()
        self.finished = _read(self.path, "remove it to run every step again") if known else {}

    def run(self, name: str, inputs: object, output: Path, step: Callable[[], object]) -> None:
        """Run a step unless it is cached.

        Args:
            name: name of the step, unique in the pipeline.
            inputs: everything that the output depends on: JSON values and Paths. A Path is compared by content, not by
                location: the bytes of a file, or the relative names and sizes of a folder's files.
            output: file that the step writes last.
            step: function without arguments.

        Raises:
            FileNotFoundError: an input file or folder is missing.
        """
        key = json.dumps([version("pocketdepth"), inputs], default=_content, sort_keys=True)
        if output.is_file() and self.finished.get(name) == [key, _content(output)]:
            print(f"{name}: cached")
            return
        if self.finished.pop(name, None) is not None:  # an interrupted step may leave an incomplete output
            write_json(self.path, self.finished)
        print(f"{name}: running")
        step()
        self.finished[name] = [key, _content(output)]
        write_json(self.path, self.finished)


def claim(folder: Path, settings: Mapping[str, object], overwrite: bool = False) -> None:
    """Reserve a folder for results of the given settings, so that results of different settings never mix.

    The settings are written to ``settings.json`` in the folder. A folder without other files accepts any settings.

    Args:
        folder: output folder; created if it does not exist.
        settings: settings by name; a Path is compared by content, as in :class:`StepCache`.
        overwrite: remove a folder of other settings instead of raising.

    Raises:
        FileExistsError: ``folder`` is a file, or has files but no ``settings.json``; it is never removed.
        FileNotFoundError: a file or folder in the settings is missing.
        ValueError: the folder has other settings, or a corrupt ``settings.json``.
    """
    if folder.is_file():
        raise FileExistsError(f"{folder} is a file, not a folder; give another --output")
    path, given = folder / SETTINGS, json.loads(json.dumps(settings, default=_content))
    files = (each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(LOCK))
    file = next((each for each in files if each != path), None)
    kept = _read(path, f"remove {folder} or give another --output") if file and path.is_file() else None
    if file and kept == given:
        return
    if file and kept is None:
        raise FileExistsError(f"{file} exists already, and {folder} has no {SETTINGS}; give another --output")
    if file and overwrite:
        shutil.rmtree(folder)
    elif file and kept is not None:
        changes = [_change(name, kept, given) for name in kept | given if kept.get(name) != given.get(name)]
        raise ValueError(f"{folder} was made with other settings ({', '.join(changes)}); give another --output")
    write_json(path, given)


def _change(name: str, kept: dict[str, Any], given: dict[str, Any]) -> str:
    """A changed setting with its old and its new value; without them if they are long, e.g. hashes of contents."""
    values = [json.dumps(each.get(name)) for each in (kept, given)]
    return f"{name} {values[0]}, not {values[1]}" if max(map(len, values)) <= 30 else name


def _content(value: object) -> str:
    """SHA-256 of a file's bytes, or of the relative names and sizes of a folder's files."""
    if not isinstance(value, Path):
        raise TypeError(f"an input must be JSON or a Path, not {value!r}")
    if value.is_file():
        with value.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    if not value.is_dir():
        raise FileNotFoundError(f"{value}: no such file or folder")
    files = (path for path in find_files(value) if path.is_file())
    names = sorted((path.relative_to(value).as_posix(), path.stat().st_size) for path in files)
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _read(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise TypeError(type(content).__name__)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: corrupt; {remedy}") from error
    return content
