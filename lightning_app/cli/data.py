"""The verbs of ``pocketdepth data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.options import Json, Overwrite, call

data = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_READER: dict[str, Any] = {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}
ReaderName = Annotated[
    str | None,
    typer.Argument(
        help="A name that `data readers` lists; its own arguments follow: VirtualKitti --root streets.",
        metavar="READER",
    ),
]
ReaderData = Annotated[
    list[Path] | None, typer.Option("--data", help="Instead of a reader: YAML with a data section; may be repeated.")
]


@data.command()
def readers(
    reader: Annotated[
        str | None, typer.Argument(help="Show this one's layout and arguments.", metavar="READER")
    ] = None,
) -> None:
    """List the readers, or show all about one."""
    call("lightning_app.data_tools.sources:show_readers", reader)


@data.command(**_READER)
def check(
    context: typer.Context,
    reader: ReaderName = None,
    yaml: ReaderData = None,
    output: Annotated[Path, typer.Option(help="Folder of the contact sheets.")] = Path("runs/check"),
) -> None:
    """Read every frame: what is there, what is broken (then exit status 1), and contact sheets."""
    call("lightning_app.data_tools.check:check_data", reader, context.args, yaml or [], output)


@data.command("benchmark", **_READER)
def benchmark_loader(
    context: typer.Context,
    reader: ReaderName = None,
    yaml: ReaderData = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            help="Height and width of the samples, e.g. --size 192 640, which it is too if left out.", metavar="H W"
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each stage, interleaved.")] = 9,
    shards: Annotated[str | None, typer.Option(help="The same frames as shards, to be timed beside.")] = None,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Time loading on one core, stage by stage, against reading and decoding the same files."""
    options = (size, runs, shards, output, overwrite)
    call("lightning_app.profiling.data_loading:benchmark_loader", reader, context.args, yaml or [], *options)


@data.command(**_READER)
def shard(
    context: typer.Context,
    output: Annotated[str, typer.Option(help="A folder, or a URL: s3://… or gs://….", show_default=False)],
    reader: ReaderName = None,
    yaml: ReaderData = None,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Report corrupt frames and leave them out.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a reader's frames, or those of a YAML's readers, as shards that train from anywhere."""
    call("lightning_app.data_tools.shard:shard_data", reader, context.args, yaml or [], output, skip_corrupt, overwrite)
