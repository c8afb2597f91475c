"""The verbs that make a checkpoint into what a phone runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.options import Overwrite, RepeatedSize, Sizes, call, read_sizes

deploy = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "To a phone"}


@deploy.command(**_PANEL, cls=RepeatedSize)
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint (.ckpt).", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="ONNX file; beside the checkpoint if left out.")] = None,
    size: Sizes = None,
    precision: Annotated[str, typer.Option(help="fp32, or fp16: smaller, for GPUs, NPUs and CoreML.")] = "fp32",
    camera: Annotated[
        tuple[int, int] | None,
        typer.Option(help="Height and width of a camera's frames: the file takes them as they are, uint8 (H, W, 3)."),
    ] = None,
    ort: Annotated[
        bool, typer.Option("--ort", help="Write a .ort file beside each: what minimal builds of ONNX Runtime open.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write fused, static ONNX files that agree with the checkpoint, and a model card."""
    call("deploy.export:export", checkpoint, output, read_sizes(size), precision, camera, ort, overwrite)


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
def ship(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint (.ckpt).", show_default=False)],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The plan: a YAML of variants and limits.", show_default=False)
    ],
    output: Annotated[Path, typer.Option(help="Folder of the files and the report.")] = Path("runs/ship"),
    threads: Annotated[int, typer.Option(min=1, help="Threads of each session that is timed.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each file, interleaved.")] = 50,
) -> None:
    """Make, score, time and judge every variant of a plan: files, and one page to believe.

    Interrupt it as you like: the same command goes on. It ends with status 1 where a limit is broken.
    """
    call("deploy.ship:ship", checkpoint, config, output, threads, runs)


@deploy.command(**_PANEL)
def camera(
    model: Annotated[Path, typer.Argument(help="An ONNX file of any precision.", show_default=False)],
    size: Annotated[tuple[int, int], typer.Option(help="Height and width of the frames.", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="ONNX file; NAME-camera.onnx if left out.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a file that takes a camera's frames, uint8 (H, W, 3), and gives depth of their size."""
    call("deploy.camera:add_camera", model, size, output, overwrite)
