"""The verbs that make a checkpoint into what a phone runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.options import Overwrite, call

deploy = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "To a phone"}
Fp32 = Annotated[Path, typer.Argument(help="An fp32 ONNX file.", show_default=False)]
Images = Annotated[Path | None, typer.Argument(help="Folder of images to calibrate on.", show_default=False)]
CalibrationData = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        help="YAML with a data section: its training frames to calibrate on if no folder is given, its val frames to "
        "check with; may be repeated.",
    ),
]
Method = Annotated[str, typer.Option(help="minmax, percentile or entropy.")]
Number = Annotated[int, typer.Option(min=1, help="How many images to calibrate on, spread over all.")]
SkipDamaged = Annotated[bool, typer.Option("--skip-damaged", help="Report damaged images and go on.")]


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
    model: Fp32,
    images: Images = None,
    data: CalibrationData = None,
    scheme: Annotated[
        str, typer.Option(help="static (int8), dynamic (smaller, not faster on a CPU) or a16w8 (for NPUs).")
    ] = "static",
    method: Method = "minmax",
    number: Number = 64,
    floats: Annotated[
        list[str] | None, typer.Option("--float", help="A node that stays in float, too; repeat it.")
    ] = None,
    auto: Annotated[
        float | None,
        typer.Option(
            help="Keep the fewest layers in float that lose no more: 0.01 is a mean change of depth by 1 %, or, with "
            "--data, of abs_rel on its val frames."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="ONNX file; NAME-int8.onnx, -dynamic or -a16w8 if left out.")
    ] = None,
    overwrite: Overwrite = False,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Write a static int8 file whose head stays in float."""
    options = (scheme, method, number, floats or [], auto, output, overwrite, skip_damaged)
    call("deploy.quantize:quantize", model, images, data or [], *options)


@deploy.command(**_PANEL)
def sensitivity(
    model: Fp32,
    images: Images = None,
    data: CalibrationData = None,
    method: Method = "minmax",
    number: Number = 64,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each layer's file, interleaved.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each session.")] = 1,
    output: Annotated[Path, typer.Option(help="Folder of the table as text, JSON and PNG.")] = Path("runs/sensitivity"),
    overwrite: Overwrite = False,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Show what each layer of the int8 file takes: gain in SQNR and cost in time of putting it back to float."""
    options = (method, number, runs, threads, output, overwrite, skip_damaged)
    call("deploy.sensitivity:sensitivity", model, images, data or [], *options)
