"""The verbs that deploy a checkpoint to phones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.fit_arguments import check_fit_arguments, with_c
from lightning_app.cli.options import (
    MODEL,
    SIZE,
    YAMLS,
    Checkpoint,
    Json,
    Overwrite,
    Runs,
    SizeCommand,
    SkipCorrupt,
    Threads,
    call,
    refuse_given,
)

deploy = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "Deploy"}
# Options of `convert` that apply to some targets only.
_CONVERT = {
    "coreml": ("size",),
    "litert": ("size", "int8", "images", "number"),
    "executorch": ("size",),
    "qnn": ("images", "chip"),
}


@deploy.command(**_PANEL, cls=SizeCommand)
def export(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Argument(**MODEL, help="Checkpoint (.ckpt), run folder, or ONNX file to add a camera input to."),
    ],
    output: Annotated[Path | None, typer.Option(help="Output file (default: next to the input).")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(**SIZE, help="Input size, e.g. 192x640; repeatable (default: training size)."),
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32 or fp16.")] = "fp32",
    camera: Annotated[
        str | None, typer.Option(**SIZE, help="Accept uint8 camera frames of this size, e.g. 480x640.")
    ] = None,
    ort: Annotated[bool, typer.Option("--ort", help="Also write .ort files for minimal ONNX Runtime builds.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Export a checkpoint to ONNX, or add a camera input."""
    if model.suffix in (".onnx", ".ort"):
        refuse_given(context, ("size", "precision", "ort"), f"applies to checkpoints; {model} is exported already")
        if camera is None:
            raise ValueError(f"{model}: is exported already; give --camera HEIGHTxWIDTH to add a camera input")
        call("deploy.export.camera_input:add_camera", model, camera, output, overwrite)
    else:
        call("deploy.export.export:export", model, output, size, precision, camera, ort, overwrite)


@deploy.command(**_PANEL, cls=SizeCommand)
def convert(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Argument(**MODEL, help="Checkpoint (.ckpt) or run folder; for qnn an ONNX file (.onnx)."),
    ],
    to: Annotated[str, typer.Option(help="coreml, litert, executorch or qnn.", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="Output file (default: next to the input).")] = None,
    size: Annotated[str | None, typer.Option(**SIZE, help="Input size (default: training size).")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="litert: quantize to static int8.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            help="litert: folder of calibration images; qnn: folder of images for the comparison (default: noise)."
        ),
    ] = None,
    number: Annotated[int, typer.Option(min=1, metavar="N", help="litert: number of calibration images.")] = 64,
    chip: Annotated[str, typer.Option(help="qnn: SM8450, SM8550, SM8650, SM8750 or SM8850.")] = "SM8650",
    overwrite: Overwrite = False,
) -> None:
    """Convert to Core ML, LiteRT, ExecuTorch or QNN.

    Each target requires the optional dependency of the same name.
    """
    if to not in _CONVERT:
        raise ValueError(f"--to {to} is not {', '.join(list(_CONVERT)[:-1])} or {list(_CONVERT)[-1]}")
    others = {name for names in _CONVERT.values() for name in names} - set(_CONVERT[to])
    refuse_given(context, others, f"does not apply to --to {to}")
    if to == "coreml":
        call("deploy.convert.to_coreml:to_coreml", model, output, size, overwrite)
    elif to == "litert":
        call("deploy.convert.to_litert:to_litert", model, output, size, int8, images, number, overwrite)
    elif to == "executorch":
        call("deploy.convert.to_executorch:to_executorch", model, output, size, overwrite)
    else:
        call("deploy.convert.to_qnn:to_qnn", model, output, chip, images, overwrite)


@deploy.command(**_PANEL, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def prune(
    context: typer.Context,
    checkpoint: Checkpoint,
    macs: Annotated[float | None, typer.Option(help="Target MACs as a fraction of the original, e.g. 0.5.")] = None,
    latency: Annotated[
        float | None, typer.Option(help="Target latency as a fraction of the original; not with --macs.")
    ] = None,
    unstructured: Annotated[
        float | None, typer.Option(help="Fraction of weights to zero, e.g. 0.8; not with --macs or --latency.")
    ] = None,
    across_layers: Annotated[
        bool, typer.Option("--global", help="Rank channels across all layers, not per layer.")
    ] = False,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="YAML",
            help="Experiment YAML to fine-tune on; repeatable, later files override earlier ones.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="With -c: number of prune and fine-tune rounds.")] = 1,
    threads: Threads = 1,
    output: Annotated[Path | None, typer.Option(help="Output file (default: NAME-pruned.ckpt).")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Prune channels by magnitude; with -c fine-tune in between.

    With -c, other arguments are passed to fit. An interrupted run resumes when the same command is run again.
    """
    if config and unstructured is not None:
        raise ValueError("--unstructured cannot be combined with -c: fine-tuning would change the zero weights")
    if unstructured is not None and (macs, latency) != (None, None):
        raise ValueError("--unstructured cannot be combined with --macs or --latency")
    if config:
        check_fit_arguments("prune CHECKPOINT", [*with_c(config), *context.args])
        options = (output, macs, latency, across_layers, steps, threads, overwrite)
        call("deploy.pruning.prune_steps:prune_in_steps", checkpoint, config, context.args, *options)
        return
    if context.args or steps > 1:
        raise ValueError(
            f"{' '.join(context.args) or '--steps'}: applies to fine-tuning only; give an experiment with -c"
        )
    if unstructured is not None:
        call("deploy.pruning.unstructured:zero_weights", checkpoint, unstructured, output, threads, overwrite)
    else:
        call("deploy.pruning.prune:prune", checkpoint, output, macs, latency, across_layers, threads, overwrite)


@deploy.command(**_PANEL)
def quantize(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(**MODEL, help="ONNX file (fp32) or checkpoint.")],
    images: Annotated[
        Path | None, typer.Argument(metavar="IMAGES", help="Folder of calibration images.", show_default=False)
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            **YAMLS,
            help="Experiment YAML: calibrate on its training frames, check on its validation split; "
            "repeatable, later files override earlier ones.",
        ),
    ] = None,
    scheme: Annotated[str, typer.Option(help="static, dynamic or a16w8 (int8 weights, 16-bit activations).")] = (
        "static"
    ),
    method: Annotated[str, typer.Option(help="Calibration: minmax, percentile or entropy.")] = "minmax",
    number: Annotated[int, typer.Option(min=1, metavar="N", help="Number of calibration images.")] = 64,
    float_nodes: Annotated[
        list[str] | None, typer.Option("--float", metavar="NAME", help="Node to keep in float; repeatable.")
    ] = None,
    auto: Annotated[
        float | None,
        typer.Option(
            help="Maximum change of depth (with --data: of abs_rel), e.g. 0.01; keeps as few layers in float as needed."
        ),
    ] = None,
    sensitivity: Annotated[
        Path | None, typer.Option(help="Write a per-layer report to this folder instead of a quantized file.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="With --sensitivity: timed runs per layer.")] = 20,
    threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --sensitivity: threads per inference session.")
    ] = 1,
    output: Annotated[
        Path | None, typer.Option(help="Output file (default: NAME-int8.onnx, NAME-dynamic.onnx or NAME-a16w8.onnx).")
    ] = None,
    overwrite: Overwrite = False,
    skip_corrupt: SkipCorrupt = False,
) -> None:
    """Quantize an ONNX file to int8, or report sensitivity."""
    if sensitivity is not None:
        refuse_given(context, ("scheme", "float_nodes", "auto", "output"), "does not apply to --sensitivity")
        options = (method, number, runs, threads, sensitivity, overwrite, skip_corrupt)
        call("deploy.quantization.sensitivity:sensitivity", model, images, data or [], *options)
    else:
        refuse_given(context, ("runs", "threads"), "needs --sensitivity")
        settings = (scheme, method, number, float_nodes or [], auto, output, overwrite, skip_corrupt)
        call("deploy.quantization.quantize:quantize", model, images, data or [], *settings)


@deploy.command(**_PANEL)
def targets(
    files: Annotated[list[Path] | None, typer.Argument(metavar="MODEL", help="Files; none lists devices.")] = None,
    device: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Device of the targets file; repeatable (default: all).")
    ] = None,
    measured: Annotated[
        list[Path] | None, typer.Option(metavar="JSON", help="File of latencies measured on devices; repeatable.")
    ] = None,
    budget_ms: Annotated[
        float | None, typer.Option(min=0.01, max=1e6, metavar="MS", help="Per frame (default: the device's budget).")
    ] = None,
    targets: Annotated[Path | None, typer.Option(help="Targets file (default: deploy/devices/targets.yaml).")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of images for the ARM check (default: noise).")] = None,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Check files for phones: operators and latency budgets.

    Without files, list the devices. Exit status 1 if a check fails or a measured latency misses its budget.
    """
    options = (device or [], measured or [], budget_ms, targets, images, output, overwrite)
    call("deploy.devices.check_targets:check_targets", files or [], *options)


@deploy.command(**_PANEL)
def ship(
    checkpoint: Checkpoint,
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="YAML", help="Plan: variants and limits.", show_default=False)
    ],
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/ship"),
    threads: Threads = 1,
    runs: Runs = 50,
) -> None:
    """Export, score and time all variants of a plan.

    An interrupted run resumes when the same command is run again. Exit status 1 if a limit is exceeded.
    """
    call("deploy.shipping.plan:open_plan", config)  # a wrong plan is refused before torch is imported
    call("deploy.shipping.ship:ship", checkpoint, config, output, threads, runs)
