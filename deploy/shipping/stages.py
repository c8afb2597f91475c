"""A pipeline of steps that goes on where it stopped. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning_app.files import atomic_write


class Stages:
    """Which steps are done; a step is done anew where what it is made from has changed, or what it made is gone.

    Args:
        folder: of ``stages.json``.

    Raises:
        ValueError: a ``stages.json`` that is corrupt.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stages.json"
        try:
            self.done: dict[str, Any] = json.loads(self.path.read_text()) if self.path.is_file() else {}
        except ValueError as error:
            raise ValueError(f"{self.path}: corrupt; remove it, and every step is done anew") from error

    def once(self, name: str, made_from: object, output: Path, do: Callable[[], object]) -> None:
        """Do a step unless it is done.

        Args:
            name: of the step.
            made_from: anything that JSON can hold and that decides the result; a Path stands for its content.
            output: the file that the step ends with.
            do: the step.
        """
        key = json.dumps([version("pocketdepth"), made_from], default=content, sort_keys=True)
        if self.done.get(name) == key and output.is_file():
            print(f"{name}: done already")
            return
        print(f"{name}:")
        do()
        self.done[name] = key
        with atomic_write(self.path) as temporary:
            temporary.write_text(json.dumps(self.done, indent=2) + "\n")


def content(value: object) -> str:
    """What decides the result of a step that is made from a file or a folder: of a folder, its names and sizes."""
    assert isinstance(value, Path), value
    if value.is_file():
        return hashlib.sha256(value.read_bytes()).hexdigest()
    inside = sorted((path.as_posix(), path.stat().st_size) for path in value.rglob("*") if path.is_file())
    return hashlib.sha256(json.dumps(inside).encode()).hexdigest()
