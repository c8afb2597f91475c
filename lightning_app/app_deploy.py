"""The verbs that make a checkpoint into what a phone runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.options import Overwrite, call

deploy = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "To a phone"}


@deploy.command(**_PANEL)
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint (.ckpt).", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="ONNX file; beside the checkpoint if left out.")] = None,
    size: Annotated[
        tuple[int, int] | None, typer.Option(help="Height and width, e.g. --size 192 640; as trained if left out.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a fused, static ONNX file that agrees with the checkpoint."""
    call("deploy.export:export", checkpoint, output, size, overwrite)


@deploy.command(**_PANEL)
def quantize(
    model: Annotated[Path, typer.Argument(help="An fp32 ONNX file.", show_default=False)],
    images: Annotated[Path, typer.Argument(help="Folder of images to calibrate on.", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="ONNX file; NAME-int8.onnx if left out.")] = None,
    number: Annotated[int, typer.Option(min=1, help="How many images, spread over the folder.")] = 64,
    overwrite: Overwrite = False,
) -> None:
    """Write a static int8 file whose head stays in float."""
    call("deploy.quantize:quantize", model, images, output, number, overwrite)


@deploy.command(**_PANEL)
def gates(
    models: Annotated[list[Path], typer.Argument(help="ONNX files.", show_default=False)],
    images: Annotated[Path | None, typer.Option(help="Folder of images to compare ARM on; noise if left out.")] = None,
    output: Annotated[Path | None, typer.Option(help="A JSON file of what was found.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Check files for phones without one: operators, accelerators, Snapdragon, ARM; exit status 1 if a gate fails."""
    call("deploy.gates:gates", models, images, output, overwrite)
