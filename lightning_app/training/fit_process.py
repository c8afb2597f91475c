"""Run ``pocketdepth fit`` in a subprocess."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, TimeElapsedColumn

from lightning_app.step_cache import claim

_FIT = (sys.executable, "-m", "lightning_app", "fit")
_ERROR = "pocketdepth: error: "


def check_arguments(arguments: Sequence[str]) -> None:
    """Check arguments of ``fit`` without training.

    Raises:
        ValueError: an invalid argument or YAML.
    """
    parsed = subprocess.run([*_FIT, *arguments, "--print_config"], capture_output=True, text=True)
    if parsed.returncode:
        lines = parsed.stderr.strip().splitlines() or [f"fit ended with status {parsed.returncode}"]
        raise ValueError(lines[-1].removeprefix(_ERROR))


def as_inputs(arguments: Sequence[str]) -> list[str | Path]:
    """Convert arguments of ``fit`` to inputs of a cached step: file names become Paths, compared by content."""
    # Path.is_file raises OSError for a long argument, such as a section in JSON.
    return [Path(each) if os.path.isfile(each) else each for each in arguments]  # noqa: PTH113


def is_trained(folder: Path) -> bool:
    """Whether the run in a folder is finished."""
    return (folder / "fit.json").is_file() and (folder / "checkpoints" / "best.ckpt").is_file()


def start_fit(arguments: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a run in a folder, or resume an interrupted one. The output of the process is written to ``fit.log``."""
    last = folder / "checkpoints" / "last.ckpt"
    resume = ["--ckpt_path", str(last)] if last.is_file() else []
    command = [*_FIT, *arguments, "--trainer.default_root_dir", str(folder), *resume]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "fit.log").open("w") as stream:
        # A separate process group: otherwise Ctrl-C would reach the process twice and interrupt saving.
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, process_group=0)


def stop_fit(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a run; it saves a checkpoint before it ends."""
    process.send_signal(signal.SIGINT)


def last_line(folder: Path) -> str:
    """The last line of a run's output."""
    log = folder / "fit.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return lines[-1] if lines else ""


def fit(arguments: Sequence[str], folder: Path) -> Path:
    """Train in a subprocess and show the last line of its output.

    A finished run is cached, an interrupted one is resumed, and a run with other arguments is replaced.

    Args:
        arguments: arguments of ``fit``.
        folder: folder of the run.

    Returns:
        The best checkpoint.

    Raises:
        RuntimeError: training failed.
    """
    best, last = (folder / "checkpoints" / name for name in ("best.ckpt", "last.ckpt"))
    if not is_trained(folder) and not last.is_file():  # interrupted before its first checkpoint
        shutil.rmtree(folder, ignore_errors=True)
    claim(folder, {"arguments": as_inputs(arguments)}, overwrite=True)
    if is_trained(folder):
        return best
    process = start_fit(arguments, folder)
    with Progress(*Progress.get_default_columns()[:1], TimeElapsedColumn()) as progress:
        task = progress.add_task("train", total=None)
        try:
            while process.poll() is None:
                progress.update(task, description=last_line(folder) or "train")
                try:
                    process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    continue
        except KeyboardInterrupt:
            progress.print("stopping; the same command resumes")
            stop_fit(process)
            process.wait()
            raise
    if process.returncode or not best.is_file():
        reason = last_line(folder).removeprefix(_ERROR)
        raise RuntimeError(f"{folder}: training failed: {reason} (the complete output is in fit.log)")
    return best
