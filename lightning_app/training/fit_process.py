"""``pocketdepth fit`` in a process of its own, which another verb starts, watches and stops."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, TimeElapsedColumn


def start_fit(arguments: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a run in ``folder``, or go on with the one there; its output goes to ``fit.log``."""
    last = folder / "checkpoints" / "last.ckpt"
    resume = ["--ckpt_path", str(last)] if last.is_file() else []
    own = ["--trainer.default_root_dir", str(folder)]
    command = [sys.executable, "-m", "lightning_app", "fit", *arguments, *own, *resume]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "fit.log").open("w") as stream:
        # In a group of its own, or Ctrl-C would reach it twice and keep it from saving.
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, process_group=0)


def stop_fit(process: subprocess.Popen[bytes]) -> None:
    """Let a run save where it is, and end."""
    process.send_signal(signal.SIGINT)


def last_line(folder: Path) -> str:
    """What a run said last."""
    log = folder / "fit.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return lines[-1] if lines else ""


def fit(arguments: Sequence[str], folder: Path) -> Path:
    """Train in ``folder``, showing what the run says, unless that is done; one that was broken off goes on.

    Returns:
        The best checkpoint.

    Raises:
        RuntimeError: it failed.
    """
    best = folder / "checkpoints" / "best.ckpt"
    if (folder / "fit.json").is_file() and best.is_file():
        return best
    if not (folder / "checkpoints" / "last.ckpt").is_file():  # broken off before it saved
        shutil.rmtree(folder, ignore_errors=True)
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
            progress.print("stopping; the same command goes on from here")
            stop_fit(process)
            process.wait()
            raise
    if process.returncode or not best.is_file():
        reason = last_line(folder).removeprefix("pocketdepth: error: ")
        raise RuntimeError(f"{folder}: training failed: {reason} (all of it in fit.log)")
    return best
