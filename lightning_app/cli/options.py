"""What the verbs of the command line share."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand


class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


def read_size(text: str) -> Size:
    """``192x640``, ``192,640`` or ``192 640`` as a size.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(\d+)[x, ](\d+)", text.strip())
    if found is None or 0 in (size := Size(*map(int, found.groups()))):
        raise ValueError(f"size {text!r} is not HEIGHTxWIDTH, e.g. 192x640")
    return size


class SizeCommand(TyperCommand):
    """A command whose sizes may be two words, ``--size 192 640``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Joins the two words of a size."""
        names = {name for param in self.params if param.metavar == SIZE["metavar"] for name in param.opts}
        joined: list[str] = []
        for word in args:
            if joined[1:] and joined[-2] in names and joined[-1].isdigit() and word.isdigit():
                joined[-1] += f"x{word}"
            else:
                joined.append(word)
        return super().parse_args(ctx, joined)


def _read_sizes(value: Any) -> Any:
    """An option's value or values; a callback, as Typer wraps a parser's error in several lines."""
    return read_size(value) if isinstance(value, str) else value and [read_size(each) for each in value]


SIZE: dict[str, Any] = {"metavar": "HxW", "callback": _read_sizes}  # of any option that is a size
Data = Annotated[
    list[Path],
    typer.Option(metavar="YAML", help="YAML with a data section; repeatable, the last one wins.", show_default=False),
]
Model = Annotated[Path, typer.Argument(help="Checkpoint (.ckpt) or ONNX file (.onnx).", show_default=False)]
Checkpoint = Annotated[Path, typer.Argument(help="Checkpoint (.ckpt).", show_default=False)]
Split = Annotated[str, typer.Option(help="Validation (val) or test split (test).")]
Protocols = Annotated[
    list[str] | None,
    typer.Option("--protocol", metavar="NAME", help="Comma-separated or repeated (default: from the YAML)."),
]
Json = Annotated[Path | None, typer.Option("--output", help="Also write the results to this JSON file.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing output.")]
SkipCorrupt = Annotated[bool, typer.Option("--skip-corrupt", help="Skip and report corrupt images.")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="Threads per inference session.")]
Runs = Annotated[int, typer.Option(min=1, metavar="N", help="Timed runs per file, interleaved.")]


def refuse_given(context: typer.Context, names: Iterable[str], reason: str) -> None:
    """Refuse options that do not apply to what was asked for.

    Raises:
        ValueError: one of them stands on the command line.
    """
    for param in context.command.params:
        if param.name in names and str(context.get_parameter_source(param.name)).endswith("COMMANDLINE"):
            raise ValueError(f"{param.opts[0]} {reason}")


def call(function: str, *args: Any) -> None:
    """Call ``module:function``; named by a string, so that the module is imported by this verb alone."""
    module, name = function.split(":")
    target: Callable[..., Any] = getattr(importlib.import_module(module), name)
    target(*args)
