"""Run ``pocketdepth fit`` in a subprocess."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import Progress, TimeElapsedColumn

from lightning_app.one_writer import one_writer
from lightning_app.signals import ending_with_this
from lightning_app.step_cache import claim

_FIT = (sys.executable, "-m", "lightning_app", "fit")
_ERROR = "pocketdepth: error: "
_BAR = re.compile(r"[━╸╺]|\d%\||\d+/\d+")  # a progress bar


def try_fit(arguments: Sequence[str]) -> None:
    """Run one training batch and one validation batch of ``fit`` in a temporary folder.

    What a run needs may be wrong, such as the data or the size. It is found in seconds, before anything is made.

    Raises:
        ValueError: an invalid argument or YAML, or missing data.
        RuntimeError: the run failed.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        process = start_fit([*arguments, "--trainer.fast_dev_run", "true"], folder)
        try:
            status = process.wait()
        except (KeyboardInterrupt, SystemExit):
            stop_fit(process)
            process.wait()
            raise
        if status:
            raise (ValueError if status == 2 else RuntimeError)(_reason(folder, status))


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
        return subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, process_group=0, env=ending_with_this()
        )


def stop_fit(process: subprocess.Popen[bytes]) -> None:
    """End a run; it saves a checkpoint before. It would ignore SIGINT in a background job of a shell."""
    process.terminate()


def last_line(folder: Path) -> str:
    """The last line of a run's output."""
    return (_log(folder) or [""])[-1]


def failure(folder: Path, status: int) -> str:
    """Why a run that has ended failed; empty if it did not.

    Args:
        folder: folder of the run.
        status: exit status of the process; negative: the signal that killed it.
    """
    if status:
        return _reason(folder, status)
    if not (folder / "checkpoints" / "best.ckpt").is_file():
        return "it left no best.ckpt, as nothing was validated; is there a val split, or --trainer.limit_val_batches 0?"
    return ""


def _reason(folder: Path, status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    lines = [line for line in _log(folder) if _ERROR in line]
    return lines[-1].rpartition(_ERROR)[2] if lines else _last_text(folder) or f"fit ended with status {status}"


def _last_text(folder: Path) -> str:
    """The last line of the output that is not a progress bar, such as the last one of a traceback."""
    return next((line for line in reversed(_log(folder)) if not _BAR.search(line)), "")


def _log(folder: Path) -> list[str]:
    log = folder / "fit.log"
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    return [line.strip() for line in lines if line.strip()]


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
    with one_writer(folder):  # nobody else trains there
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
        except (KeyboardInterrupt, SystemExit):
            progress.print("stopping; the same command resumes")
            stop_fit(process)
            process.wait()
            raise
    reason = failure(folder, process.returncode)
    if reason:
        raise RuntimeError(f"{folder}: training failed: {reason} (the complete output is in fit.log)")
    return best
