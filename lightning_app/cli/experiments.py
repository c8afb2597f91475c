"""The verb that lists and copies the packaged experiments."""

from __future__ import annotations

import re
import shutil
from itertools import groupby, takewhile
from pathlib import Path
from typing import Annotated

import typer

from lightning_app.cli.options import Overwrite
from lightning_app.experiments import PACKAGED, packaged_names
from lightning_app.files import atomic_write

experiments = typer.Typer(pretty_exceptions_enable=False)


@experiments.command("experiments", rich_help_panel="Train")
def show(
    copy: Annotated[Path | None, typer.Option(help="Copy the YAMLs to this folder.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """List or copy the packaged experiment YAMLs.

    All commands accept these names in any folder. A file of the same name in the working folder takes precedence.
    """
    names = packaged_names()
    if copy is not None:
        if copy.suffix in (".yaml", ".yml"):
            raise ValueError(f"--copy {copy}: give a folder; all packaged YAMLs are copied into it")
        _copy(names, copy, overwrite)
        return
    width = max(map(len, names))
    for folder, group in groupby(sorted(names, key=_folder), _folder):
        print(f"\n{folder}/" if folder != "." else "experiments/")
        for name in group:
            print(f"  {name:<{width}}  {_description(PACKAGED / name)}")


def _folder(name: str) -> str:
    return Path(name).parent.as_posix()


def _description(path: Path) -> str:
    """The first sentence of the comment at the top of a YAML; indented lines of the comment are commands."""
    lines = takewhile(lambda line: line.startswith("# ") and not line.startswith("#  "), path.read_text().splitlines())
    text = " ".join(line.removeprefix("# ") for line in lines)
    return re.split(r"(?<=[.?]) |:$", text)[0]


def _copy(names: list[str], folder: Path, overwrite: bool) -> None:
    existing = [name for name in names if (folder / name).exists()]
    if existing and not overwrite:
        raise FileExistsError(
            f"{folder / existing[0]} exists (and {len(existing) - 1} more); give --overwrite or another folder"
        )
    for name in names:
        with atomic_write(folder / name) as temporary:
            shutil.copyfile(PACKAGED / name, temporary)
    print(f"{len(names)} YAMLs -> {folder}")
