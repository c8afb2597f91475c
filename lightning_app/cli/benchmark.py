"""The verbs that measure speed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.options import Overwrite, Split, call

measure = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "How fast, on this machine"}
Threads = Annotated[int, typer.Option(min=1, help="Threads of each session.")]
Runs = Annotated[int, typer.Option(min=1, help="Timed runs of each file, interleaved.")]


@measure.command(**_PANEL)
def benchmark(
    models: Annotated[
        list[Path], typer.Argument(help="Exported files or checkpoints; the first is the baseline.", show_default=False)
    ],
    reference: Annotated[
        list[str] | None, typer.Option(help="A published network beside them: pydnet, fastdepth, resnet18; repeat it.")
    ] = None,
    threads: Threads = 1,
    runs: Runs = 50,
    output: Annotated[Path, typer.Option(help="Folder of the table as text, JSON and PNG.")] = Path("runs/benchmark"),
    overwrite: Overwrite = False,
) -> None:
    """Time files against each other, and against published networks; their size and memory."""
    call("deploy.benchmark.benchmark:benchmark", models, reference or [], threads, runs, output, overwrite)


@measure.command(**_PANEL)
def pareto(
    results: Annotated[list[Path], typer.Argument(help="Output folders of `pocketdepth compare`.", show_default=False)],
    images: Annotated[Path, typer.Option(help="Folder of images to calibrate int8 on.", show_default=False)],
    split: Split = "val",
    size: Annotated[
        tuple[int, int] | None, typer.Option(help="Height and width; what the first was trained at if left out.")
    ] = None,
    threads: Threads = 1,
    runs: Runs = 50,
    output: Annotated[Path, typer.Option(help="Folder of the table as text, JSON and PNG.")] = Path("runs/pareto"),
    overwrite: Overwrite = False,
) -> None:
    """Draw the error of compared networks against their latency."""
    call("deploy.benchmark.pareto:pareto", results, images, split, size, threads, runs, output, overwrite)


@measure.command(**_PANEL)
def encoders(
    names: Annotated[list[str], typer.Argument(help="Backbones of timm's, half a minute each.", show_default=False)],
    size: Annotated[tuple[int, int], typer.Option(help="Height and width.")] = (192, 640),
    threads: Threads = 1,
    runs: Runs = 30,
    output: Annotated[Path | None, typer.Option(help="A JSON file of the figures.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Time backbones as base's encoder, without training, in fp32 and int8."""
    call("deploy.benchmark.encoders:encoders", names, size, threads, runs, output, overwrite)


@measure.command(**_PANEL, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def profile(
    context: typer.Context,
    steps: Annotated[
        int, typer.Option(min=1, help="Timed steps on each of the three: memory, bare loop, loader; in blocks of 5.")
    ] = 50,
    trace: Annotated[Path | None, typer.Option(help="A JSON file of the profiled steps, for Perfetto.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Time an experiment's training step against a bare PyTorch loop's, and show where its time goes.

    The other arguments are those of fit: pocketdepth profile -c experiments/base.yaml -c experiments/quickstart.yaml
    """
    call("lightning_app.profiling.training_step:profile", context.args, steps, trace, overwrite)


@measure.command(**_PANEL)
def targets(
    files: Annotated[list[Path], typer.Argument(help="Files that ship; ONNX can be predicted.", show_default=False)],
    device: Annotated[
        list[str] | None, typer.Option(help="Its short name in the targets; repeat it; all if left out.")
    ] = None,
    budget_ms: Annotated[
        float | None, typer.Option(min=0.01, help="For a frame, instead of each device's own budget.")
    ] = None,
    measured: Annotated[
        list[Path] | None, typer.Option(help="JSON of results from a device (deploy/devices/targets.py); repeat it.")
    ] = None,
    targets: Annotated[Path | None, typer.Option(help="Devices, if not those of deploy/devices/targets.yaml.")] = None,
    threads: Threads = 1,
    runs: Runs = 30,
    output: Annotated[Path | None, typer.Option(help="A JSON file of the verdicts.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge files by devices' budgets: measured there, or predicted from here; status 1 where a measured one misses."""
    options = (device or [], budget_ms, measured or [], targets, threads, runs, output, overwrite)
    call("deploy.devices.budget_check:targets", files, *options)
