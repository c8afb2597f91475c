"""The verbs of ``pocketdepth style``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lightning_app.cli.options import Data, Overwrite, call

style = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@style.command()
def bank(
    data: Data,
    output: Annotated[Path, typer.Option(help="The bank, a .npz file.", show_default=False)],
    overwrite: Overwrite = False,
) -> None:
    """Look at the style images once: train from the bank with --data.style.bank FILE."""
    call("lightning_app.data_tools.stylize:make_bank", data, output, overwrite)


@style.command()
def apply(
    data: Data,
    output: Annotated[Path, typer.Option(help="Folder of the copy.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a stylised copy of the synthetic training data, in the same layout."""
    call("lightning_app.data_tools.stylize:stylise", data, output, seed, overwrite)


@style.command()
def cost(
    config: Annotated[
        list[Path], typer.Option("--config", "-c", help="The experiment's YAMLs; the later wins.", show_default=False)
    ],
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each, in turn.")] = 20,
) -> None:
    """Time style transfer beside the training step."""
    call("lightning_app.data_tools.stylize:measure_cost", config, runs)
