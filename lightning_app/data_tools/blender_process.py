"""Blender as a process of its own: it is GPL, and needs another Python and another numpy than PocketDepth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

PYTHON = "POCKETDEPTH_BLENDER_PYTHON"
REQUIREMENT = "bpy>=4.5,<4.6"  # a version with long support; a newer one needs a newer Python, and renders other frames
_INSTALL = f"python3.11 -m venv .venv/blender && .venv/blender/bin/pip install '{REQUIREMENT}'"
_SHOWN = 400  # characters of Blender's output in an error


def blender_python() -> Path:
    """The Python that has ``bpy``: of the environment variable ``POCKETDEPTH_BLENDER_PYTHON``, or of ``make blender``.

    The latter is in the folder ``blender`` of the environment that runs PocketDepth.

    Raises:
        FileNotFoundError: there is none.
    """
    python = Path(os.environ.get(PYTHON, Path(sys.prefix, "blender", "bin", "python")))
    if not python.is_file():
        raise FileNotFoundError(
            f"{python}: no Python with Blender; run `make blender` (or {_INSTALL}), or set {PYTHON}"
        )
    return python


class Blender:
    """A process that renders scenes, one after another. It ends with this one, at the latest after its scene.

    Args:
        settings: what :mod:`lightning_app.data_tools.blender` needs, as JSON.

    Raises:
        FileNotFoundError: no Python with ``bpy``.
        ImportError: that Python has no usable ``bpy``.
        ValueError: the settings ask for a GPU, and there is none.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        python = blender_python()
        self._log = TemporaryFile("w+")  # noqa: SIM115 (open as long as the process)
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTHONNOUSERSITE": "1"}
        try:
            self._process = subprocess.Popen(
                [str(python), "-m", "blender", json.dumps(settings)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment,
            )  # fmt: skip
        except OSError as error:
            raise ImportError(f"{python}: {error.strerror}; {PYTHON} must be a Python with '{REQUIREMENT}'") from error
        try:
            greeting = next(self._answers())
        except RuntimeError as error:
            self.stop()
            raise ImportError(f"{python} cannot import Blender ({error}); install it: {_INSTALL}") from error
        if "error" in greeting:
            self.stop()
            raise ValueError(greeting["error"])
        self.version = str(greeting["blender"])

    def render(self, scene: int, variations: list[str], folder: Path) -> Iterator[dict[str, Any]]:
        """Render a scene into a folder, and yield an answer per frame.

        Raises:
            RuntimeError: Blender failed, or the camera sees nothing.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(
                json.dumps({"scene": scene, "variations": variations, "folder": str(folder)}) + "\n"
            )
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise RuntimeError(f"scene {scene}: {self._last_words()}") from error
        for answer in self._answers(f"scene {scene}: "):
            if "error" in answer:
                raise RuntimeError(f"scene {scene}: {answer['error']}")
            if "attempts" in answer:
                return
            yield answer

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answers(self, where: str = "") -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)
        self._process.wait()
        raise RuntimeError(f"{where}{self._last_words()}")

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [
            line.strip() for line in self._log.read().splitlines() if line.strip() and "Not freed memory" not in line
        ]
        status = self._process.poll()
        killed = f"Blender was killed by signal {-status}" if status is not None and status < 0 else "Blender ended"
        return f"{killed}: {lines[-1][:_SHOWN]}" if lines else killed
