"""What the verbs of the command line share."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

Data = Annotated[
    list[Path], typer.Option(help="YAML with a data section; repeat it, the later wins.", show_default=False)
]
Model = Annotated[Path, typer.Argument(help="A checkpoint (.ckpt) or an ONNX file (.onnx).", show_default=False)]
Split = Annotated[str, typer.Option(help="Split to evaluate: val or test.")]
Protocols = Annotated[
    list[str] | None, typer.Option("--protocol", help="Names, by commas or repeated; the YAML's if left out.")
]
Json = Annotated[Path | None, typer.Option("--output", help="Write the metrics as JSON, too.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Sizes = Annotated[
    list[str] | None,
    typer.Option("--size", help="Height and width, e.g. --size 192 640; repeat it for several.", metavar="H W"),
]


class RepeatedSize(TyperCommand):
    """A command whose ``--size H W`` may be repeated, which Typer knows for options of one value alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        joined: list[str] = []
        while args:
            joined.append(args.pop(0))
            if joined[-1] == "--size":
                joined.append(" ".join(args[:2]))
                del args[:2]
        return super().parse_args(ctx, joined)


def read_sizes(sizes: list[str] | None) -> list[tuple[int, int]]:
    """What :class:`RepeatedSize` joined, as (height, width).

    Raises:
        ValueError: something else than two whole numbers.
    """
    pairs = [tuple(map(int, size.split())) if size.replace(" ", "").isdigit() else () for size in sizes or []]
    for size, pair in zip(sizes or [], pairs, strict=True):
        if len(pair) != 2 or 0 in pair:
            raise ValueError(f"--size {size} is not a height and a width, e.g. --size 192 640")
    return [(pair[0], pair[1]) for pair in pairs]


def call(function: str, *args: Any) -> None:
    """Call ``module:function``; named by a string, so that the module is imported by this verb alone."""
    module, name = function.split(":")
    target: Callable[..., Any] = getattr(importlib.import_module(module), name)
    target(*args)
