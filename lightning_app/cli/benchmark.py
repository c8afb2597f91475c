"""The verbs that measure speed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.fit_arguments import check_fit_arguments, with_c
from lightning_app.cli.options import (
    MODEL,
    SIZE,
    Json,
    Overwrite,
    Runs,
    SizeCommand,
    Split,
    Threads,
    call,
    refuse_given,
)

measure = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "Measure"}


@measure.command(**_PANEL, cls=SizeCommand)
def benchmark(
    context: typer.Context,
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            **MODEL, help="ONNX files, converted files, checkpoints or run folders; the first is the baseline."
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Published network to compare: pydnet, fastdepth, resnet18; repeatable."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="timm encoder to compare, instead of models; repeatable."),
    ] = None,
    size: Annotated[str, typer.Option(**SIZE, help="With --encoder: input size.")] = "192x640",
    threads: Threads = 1,
    runs: Runs = 50,
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/benchmark"),
    overwrite: Overwrite = False,
) -> None:
    """Compare latency, size and memory of models or encoders."""
    if bool(models) == bool(encoder):
        raise ValueError("give models to compare, or else --encoder NAME")
    if encoder:
        refuse_given(context, ("reference",), "does not apply to --encoder")
        call("deploy.benchmark.encoders:encoders", encoder, size, threads, runs, output, overwrite)
    else:
        refuse_given(context, ("size",), "needs --encoder")
        call("deploy.benchmark.benchmark:benchmark", models, reference or [], threads, runs, output, overwrite)


@measure.command(**_PANEL, cls=SizeCommand)
def pareto(
    results: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Output folders of compare.", show_default=False)
    ],
    images: Annotated[Path, typer.Option(help="Folder of calibration images.", show_default=False)],
    split: Split = "val",
    size: Annotated[
        str | None, typer.Option(**SIZE, help="Input size (default: training size of the first network).")
    ] = None,
    threads: Threads = 1,
    runs: Runs = 50,
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/pareto"),
    overwrite: Overwrite = False,
) -> None:
    """Plot error against latency for compared networks."""
    call("deploy.benchmark.pareto:pareto", results, images, split, size, threads, runs, output, overwrite)


@measure.command(**_PANEL, cls=SizeCommand, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def profile(
    context: typer.Context,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config", "-c", metavar="YAML", help="Experiment YAML; repeatable, later files override earlier ones."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Timed steps of each measurement.")] = 50,
    trace: Annotated[Path | None, typer.Option(help="Write a trace (JSON) for Perfetto.")] = None,
    loader: Annotated[
        bool, typer.Option("--loader", help="Profile data loading of -c YAML, or of a reader and its arguments.")
    ] = False,
    size: Annotated[
        str | None, typer.Option(**SIZE, help="With --loader: sample size (default: the YAML's or 192x640).")
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --loader: timed runs per stage, interleaved.")
    ] = 9,
    shards: Annotated[str | None, typer.Option(help="With --loader: the same frames as shards, to compare.")] = None,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Profile an experiment's training step, or its data loading.

    Without --loader, other arguments are passed to fit.

    Example: profile -c base.yaml -c quickstart.yaml

    Example: profile --loader KittiRaw --root kitti
    """
    if loader:
        refuse_given(context, ("steps", "trace"), "does not apply to --loader")
        named = context.args[:1] if context.args and not context.args[0].startswith("-") else []
        reader, rest = next(iter(named), None), context.args[len(named) :]
        options = (size, runs, shards, output, overwrite)
        call("lightning_app.profiling.data_loading:benchmark_loader", reader, rest, config or [], *options)
    else:
        refuse_given(context, ("size", "runs", "shards", "output"), "needs --loader")
        arguments = [*with_c(config or []), *context.args]
        check_fit_arguments("profile", arguments)
        call("lightning_app.profiling.training_step:profile", arguments, steps, trace, overwrite)
