"""Folder of a run: ``runs/<experiment>/<time>`` by default."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from pytorch_lightning.utilities import rank_zero_only

from lightning_app.config import read_yaml
from lightning_app.files import require_writable
from lightning_app.one_writer import one_writer
from lightning_app.step_cache import SETTINGS

CHECKPOINTS = "checkpoints"
_VARIABLE = "POCKETDEPTH_RUN"  # passes the folder to the other processes of a distributed run


class RunFolder:
    """The folder given by ``trainer.default_root_dir``, or else a new one.

    Attributes:
        path: path of the folder.
        started: whether the run has started. Before, it can still be refused.

    Raises:
        FileExistsError: the given folder contains results, and the run does not resume from a checkpoint.
        OSError: the folder cannot be written.
        RuntimeError: another process is writing there.
    """

    def __init__(self, config: Namespace, subcommand: str) -> None:
        self.started = False
        self._lock = ExitStack()
        self._first = getattr(rank_zero_only, "rank", 0) == 0
        if not self._first:
            self.path = Path(os.environ.get(_VARIABLE, "runs"))
            return
        given = config.trainer.default_root_dir
        folder = Path(given) if given else Path("runs") / _experiment_name(config) / _stamp(subcommand)
        require_writable(folder)
        absent = [each for each in (folder, *folder.parents) if not each.exists()]
        self.path = folder if given else _claim(folder)
        self._made = list(dict.fromkeys((*(() if given else (self.path,)), *absent)))  # innermost first
        self._lock.enter_context(one_writer(self.path))
        self._before = set(self.path.rglob("*"))
        results = [
            *self.path.glob(f"{CHECKPOINTS}/*.ckpt"),
            *(path for path in self.path.glob("*.json") if path.name != SETTINGS),
        ]
        if results and not config.get("ckpt_path"):
            raise FileExistsError(
                f"{self.path} holds a run already: give another --trainer.default_root_dir, or --ckpt_path last to "
                "resume it"
            )
        os.environ[_VARIABLE] = str(self.path)

    def release(self) -> None:
        """Let other processes write into the folder."""
        self._lock.close()

    def start(self) -> None:
        """Keep the folder: the run has started."""
        self.started = True

    @contextmanager
    def empty_if_refused(self) -> Iterator[None]:
        """Remove what an exception leaves of a run that has not started: its files, and folders made for it."""
        try:
            yield
        except BaseException:
            if self._first and not self.started:
                self._remove()
            raise

    def _remove(self) -> None:
        self.release()
        for path in sorted(set(self.path.rglob("*")) - self._before, reverse=True):  # content before its folder
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for folder in self._made:
            with contextlib.suppress(OSError):  # another run may have started in a folder above
                folder.rmdir()


def find_checkpoint(config: Namespace, subcommand: str) -> None:
    """Replace ``best`` and ``last`` in ``ckpt_path`` by the path of a checkpoint.

    It is one of the run in ``trainer.default_root_dir``, or else of the newest run of the same experiment that has one,
    which ``fit`` then continues in its folder.

    Raises:
        FileNotFoundError: no such checkpoint.
    """
    name, root = config.get("ckpt_path"), config.trainer.default_root_dir
    if name not in ("best", "last"):
        return
    folder = Path(root) if root else Path("runs") / _experiment_name(config)
    found = list(folder.glob(f"{'' if root else '*/'}{CHECKPOINTS}/{name}.ckpt"))
    if not found:
        missing = f"no {CHECKPOINTS}/{name}.ckpt in {folder}" if root else f"no run with a {name}.ckpt in {folder}"
        raise FileNotFoundError(f"--ckpt_path {name}: {missing}; give the file, or another --trainer.default_root_dir")
    newest = max(found, key=lambda path: path.stat().st_mtime)
    config.ckpt_path = str(newest)
    if subcommand == "fit":
        config.trainer.default_root_dir = str(newest.parents[1])


def _experiment_name(config: Namespace) -> str:
    """The stem of the last YAML that says what to train on: others, such as a logger's, change an experiment.

    Without one, the stem of the last YAML; a sweep passes its arguments as JSON, which is skipped.
    """
    files = [Path(str(path)) for path in config.get("config") or []]
    yamls = [path for path in reversed(files) if path.suffix in (".yaml", ".yml")]
    return next((path.stem for path in (*filter(_names_training_data, yamls), *yamls)), "run")


def _names_training_data(path: Path) -> bool:
    content: Any = read_yaml(path) if path.is_file() else None  # a pipe cannot be read twice
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        return False
    arguments = data.get("init_args")
    return bool(data.get("train") or (isinstance(arguments, dict) and arguments.get("train")))


def _stamp(subcommand: str) -> str:
    return datetime.now().strftime("%Y%m%d-%H%M%S") + ("" if subcommand == "fit" else f"-{subcommand}")


def _claim(folder: Path) -> Path:
    """Create a folder; a number is appended if it exists."""
    number = 1
    while True:
        root = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            root.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return root
