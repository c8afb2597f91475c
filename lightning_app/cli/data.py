"""The verbs of ``pocketdepth data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.options import YAMLS, Data, Overwrite, SizeCommand, call, refuse_given
from lightning_app.cli.render import render

data = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
data.command(cls=SizeCommand)(render)

_READER: dict[str, Any] = {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}
ReaderName = Annotated[
    str | None,
    typer.Argument(
        help="Reader listed by `data readers`, and its arguments: VirtualKitti --root streets.",
        metavar="READER",
    ),
]
ReaderData = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        **YAMLS,
        help="YAML with a data section, instead of a reader; repeatable, later files override earlier ones.",
    ),
]


@data.command()
def readers(
    reader: Annotated[
        str | None, typer.Argument(help="Reader to describe (default: list all).", metavar="READER")
    ] = None,
) -> None:
    """List the readers, or describe one: layout and arguments."""
    call("lightning_app.data_tools.sources:show_readers", reader)


@data.command(**_READER)
def check(
    context: typer.Context,
    reader: ReaderName = None,
    yaml: ReaderData = None,
    output: Annotated[Path, typer.Option(help="Output folder of the contact sheets.")] = Path("runs/check"),
) -> None:
    """Read all frames, report corrupt ones and draw contact sheets.

    Exit status 1 if a frame is corrupt or splits overlap.
    """
    call("lightning_app.data_tools.check:check_data", reader, context.args, yaml or [], output)


@data.command("list", **_READER)
def write_list(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="Output folder of train_files.txt and val_files.txt.")],
    val: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Share of the frames for validation.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Random seed of the choice of drives.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Split KITTI by drive: write lists of frames for training and validation.

    Takes the arguments of the reader KittiRaw: pocketdepth data list --root kitti --output kitti/splits. No drive is in
    both lists.
    """
    call("lightning_app.data_tools.lists:write_lists", context.args, output, val, seed, overwrite)


@data.command(**_READER)
def shard(
    context: typer.Context,
    output: Annotated[str, typer.Option(help="Output folder or URL (s3://..., gs://...).", show_default=False)],
    reader: ReaderName = None,
    yaml: ReaderData = None,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Skip and report corrupt frames.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert frames to shards, for training from disk or a URL."""
    call("lightning_app.data_tools.shard:shard_data", reader, context.args, yaml or [], output, skip_corrupt, overwrite)


@data.command()
def stylize(
    context: typer.Context,
    data: Data,
    output: Annotated[
        Path,
        typer.Option(help="Output style bank (.npz), or output folder of a stylized copy.", show_default=False),
    ],
    seed: Annotated[int, typer.Option(help="Random seed of a stylized copy.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a style bank, or a stylized copy of synthetic data.

    To train with a style bank, pass --data.style.bank FILE.npz to fit.
    """
    if output.suffix == ".npz":
        refuse_given(context, ("seed",), "does not apply to a style bank, which is not random")
        call("lightning_app.data_tools.stylize:make_bank", data, output, overwrite)
    else:
        call("lightning_app.data_tools.stylize:stylise", data, output, seed, overwrite)
