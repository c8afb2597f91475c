"""Import of optional packages and suppression of their output. Does not import torch."""

from __future__ import annotations

import importlib
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from rich.console import Console


def require(module: str, extra: str) -> Any:
    """Import a module of an optional package and suppress its output.

    Args:
        module: name of the module.
        extra: PocketDepth extra that lists the package, for the error message.

    Raises:
        ImportError: the package or one of its dependencies is not installed.
    """
    try:
        with quiet():
            return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        missing = "is not installed" if package in str(error).replace("_", "-") else f"cannot be imported ({error})"
        raise ImportError(f"{package} {missing}: pip install {shlex.join(_libraries(extra) or [package])}") from error


def _libraries(extra: str) -> list[str]:
    """Requirements of an extra, by the libraries' own names; empty in a clone that is not installed.

    ``pocketdepth[extra]`` would ask the package index for a name that is not ours there.
    """
    marker = re.compile(rf";\s*extra\s*==\s*['\"]{extra}['\"]")
    try:
        requirements = requires("pocketdepth") or []
    except PackageNotFoundError:
        return []
    return [marker.split(each)[0].strip() for each in requirements if marker.search(each)]


@contextmanager
def quiet(status: str = "") -> Iterator[None]:
    """Suppress output and logs of libraries, including C++ code, and show ``status`` in the terminal instead."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            os.fdopen(os.dup(1), "w") as terminal,
            Console(file=terminal, quiet=not status).status(status),
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
            yield
    finally:
        logging.disable(level)
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
