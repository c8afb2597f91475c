"""Folder of a run: ``runs/<experiment>/<time>`` by default."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from jsonargparse import Namespace
from pytorch_lightning.utilities import rank_zero_only

from lightning_app.step_cache import SETTINGS

_VARIABLE = "POCKETDEPTH_RUN"  # passes the folder to the other processes of a distributed run


def run_folder(config: Namespace, subcommand: str) -> Path:
    """The folder given by ``trainer.default_root_dir``, or else a new one.

    Raises:
        FileExistsError: the given folder contains results, and the run does not resume from a checkpoint.
    """
    if getattr(rank_zero_only, "rank", 0) != 0:
        return Path(os.environ.get(_VARIABLE, "runs"))
    given = config.trainer.default_root_dir
    root = Path(given) if given else _claim(Path("runs") / _experiment_name(config), subcommand)
    results = [*root.glob("checkpoints/*.ckpt"), *(path for path in root.glob("*.json") if path.name != SETTINGS)]
    if results and not config.get("ckpt_path"):
        raise FileExistsError(
            f"{root} holds a run already: give another --trainer.default_root_dir, or --ckpt_path to resume it"
        )
    os.environ[_VARIABLE] = str(root)
    return root


def _experiment_name(config: Namespace) -> str:
    """The stem of the last YAML on the command line; a sweep passes its arguments as JSON, which is skipped."""
    files = [Path(str(path)) for path in config.get("config") or []]
    return next((path.stem for path in reversed(files) if path.suffix in (".yaml", ".yml")), "run")


def _claim(parent: Path, subcommand: str) -> Path:
    """Create a folder named after the time; a number is appended if it exists."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S") + ("" if subcommand == "fit" else f"-{subcommand}")
    number = 1
    while True:
        root = parent / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            root.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return root
