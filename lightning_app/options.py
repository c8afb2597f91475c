"""What the verbs of the command line share."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    list[Path], typer.Option(help="YAML with a data section; repeat it, the later wins.", show_default=False)
]
Model = Annotated[Path, typer.Argument(help="A checkpoint (.ckpt) or an ONNX file (.onnx).", show_default=False)]
Split = Annotated[str, typer.Option(help="val (to choose on) or test (to report on).")]
Protocols = Annotated[
    list[str] | None, typer.Option("--protocol", help="Names, by commas or repeated; the YAML's if left out.")
]
Json = Annotated[Path | None, typer.Option("--output", help="Write the metrics as JSON, too.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def call(function: str, *args: Any) -> None:
    """Call ``module:function``; named by a string, so that the module is imported by this verb alone."""
    module, name = function.split(":")
    target: Callable[..., Any] = getattr(importlib.import_module(module), name)
    target(*args)
