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
        call("deploy.prune_steps:prune_in_steps", checkpoint, config, context.args, *options)
        return
    if context.args or steps > 1:
        raise ValueError(f"{' '.join(context.args) or '--steps'}: is for fine-tuning, which needs an experiment: -c")
    if unstructured is not None:
        call("deploy.zero_weights:zero_weights", checkpoint, unstructured, output, threads, overwrite)
    else:
        call("deploy.prune:prune", checkpoint, output, macs, latency, across_layers, threads, overwrite)
