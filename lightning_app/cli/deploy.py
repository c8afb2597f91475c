"""The verbs that make a checkpoint into what a phone runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.options import Overwrite, RepeatedSize, Sizes, call, read_sizes

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
SkipCorrupt = Annotated[bool, typer.Option("--skip-corrupt", help="Report corrupt images and go on.")]


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
    call("deploy.export.export:export", checkpoint, output, read_sizes(size), precision, camera, ort, overwrite)


@deploy.command(**_PANEL)
def camera(
    model: Annotated[Path, typer.Argument(help="An ONNX file of any precision.", show_default=False)],
    size: Annotated[tuple[int, int], typer.Option(help="Height and width of the frames.", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="ONNX file; NAME-camera.onnx if left out.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a file that takes a camera's frames, uint8 (H, W, 3), and gives depth of their size."""
    call("deploy.export.camera_input:add_camera", model, size, output, overwrite)


@deploy.command(**_PANEL, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def prune(
    context: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint (.ckpt).", show_default=False)],
    macs: Annotated[float | None, typer.Option(help="Share of multiply-accumulates to reach, e.g. 0.5; or")] = None,
    latency: Annotated[
        float | None, typer.Option(help="share of the latency to reach, in fp32 on this machine; or")
    ] = None,
    unstructured: Annotated[
        float | None, typer.Option(help="share of the weights to set to zero, e.g. 0.8: smaller when compressed only.")
    ] = None,
    across_layers: Annotated[
        bool, typer.Option("--global", help="The weakest channels of all layers, not the same share of every layer.")
    ] = False,
    config: Annotated[
        list[Path] | None, typer.Option("--config", "-c", help="Fine-tune on this experiment; the later YAML wins.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="With -c: prune and fine-tune so many times.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each session that is timed.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Checkpoint; NAME-pruned.ckpt if left out.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a network narrower: structured magnitude pruning, in steps with fine-tuning between them if you like.

    With -c, the other arguments are those of fit. Interrupt it as you like: the same command goes on.
    """
    if config and unstructured is not None:
        raise ValueError("--unstructured takes no -c: fine-tuning would fill the zeros again")
    if unstructured is not None and (macs, latency) != (None, None):
        raise ValueError("--unstructured goes without --macs and --latency")
    if config:
        options = (output, macs, latency, across_layers, steps, threads, overwrite)
        call("deploy.pruning.prune_steps:prune_in_steps", checkpoint, config, context.args, *options)
        return
    if context.args or steps > 1:
        raise ValueError(f"{' '.join(context.args) or '--steps'}: is for fine-tuning, which needs an experiment: -c")
    if unstructured is not None:
        call("deploy.pruning.unstructured:zero_weights", checkpoint, unstructured, output, threads, overwrite)
    else:
        call("deploy.pruning.prune:prune", checkpoint, output, macs, latency, across_layers, threads, overwrite)


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
    float_nodes: Annotated[
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
    skip_corrupt: SkipCorrupt = False,
) -> None:
    """Write an int8 file, static unless you say otherwise; its head and a small stem stay in float."""
    options = (scheme, method, number, float_nodes or [], auto, output, overwrite, skip_corrupt)
    call("deploy.quantization.quantize:quantize", model, images, data or [], *options)


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
    skip_corrupt: SkipCorrupt = False,
) -> None:
    """Show what each layer of the int8 file takes: gain in SQNR and cost in time of putting it back to float."""
    options = (method, number, runs, threads, output, overwrite, skip_corrupt)
    call("deploy.quantization.sensitivity:sensitivity", model, images, data or [], *options)


@deploy.command(**_PANEL)
def gates(
    models: Annotated[list[Path], typer.Argument(help="ONNX files.", show_default=False)],
    images: Annotated[Path | None, typer.Option(help="Folder of images to compare ARM on; noise if left out.")] = None,
    output: Annotated[Path | None, typer.Option(help="A JSON file of what was found.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Check files for phones without one: operators, accelerators, Snapdragon, ARM; exit status 1 if a gate fails."""
    call("deploy.devices.gates:gates", models, images, output, overwrite)


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
    call("deploy.shipping.ship:ship", checkpoint, config, output, threads, runs)
