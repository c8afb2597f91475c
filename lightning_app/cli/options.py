"""Options and helpers shared by the verbs."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from lightning_app.cli.fit_arguments import check_data
from lightning_app.image_files import LARGEST_SIDE
from lightning_app.protocol_names import require_protocol
from lightning_app.run_folder import model_file


class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


def read_size(text: str) -> Size:
    """Parse a size: ``192x640``, ``192,640`` or ``192 640``.

    Raises:
        ValueError: not a size.
    """
    found = re.fullmatch(r"(\d{1,9})[x, ](\d{1,9})", text.strip())
    if found is None or 0 in (size := Size(*map(int, found.groups()))):
        raise ValueError(f"size {text!r} is not HEIGHTxWIDTH, e.g. 192x640")
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"size {text!r}: a side has at most {LARGEST_SIDE} pixels")
    return size


class SizeCommand(TyperCommand):
    """A command that also accepts sizes as two words, ``--size 192 640``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words of a size, then parse."""
        names = {name for param in self.params if param.metavar == SIZE["metavar"] for name in param.opts}
        joined: list[str] = []
        for word in args:
            if joined[1:] and joined[-2] in names and joined[-1].isdigit() and word.isdigit():
                joined[-1] += f"x{word}"
            else:
                joined.append(word)
        return super().parse_args(ctx, joined)


class LightningCommand(TyperCommand):
    """A command whose arguments LightningCLI parses: its options are only shown, by ``--help``.

    ``--help all`` is LightningCLI's own help.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Pass all arguments on, unless they ask for help or the shell completes them."""
        asks = next((index for index, word in enumerate(args) if word in ("-h", "--help")), None)
        if ctx.resilient_parsing or (asks is not None and args[asks + 1 :] != ["all"]):
            return super().parse_args(ctx, args if asks is None else ["--help"])
        passed = args if asks is None else [*args[:asks], "--help"]
        ctx.args = passed
        return passed


def _read_sizes(value: Any) -> Any:
    """Parse one or several sizes. A callback, since Typer prints errors of a parser on several lines."""
    return read_size(value) if isinstance(value, str) else value and [read_size(each) for each in value]


def models(value: Any) -> Any:
    """Return the path of a model, or a list of them. A run folder stands for its best checkpoint.

    Raises:
        FileNotFoundError: there is none. This is known before torch is imported.
    """
    if isinstance(value, list):
        return [models(each) for each in value]
    if isinstance(value, Path) and not value.exists():
        files = [each.name for each in value.parent.glob(f"*{value.suffix}")] if value.parent.is_dir() else []
        close = get_close_matches(value.name, files, n=1)
        kind = "checkpoint" if value.suffix == ".ckpt" else "model"
        raise FileNotFoundError(
            f"{value}: no such {kind}" + (f"; did you mean {value.with_name(close[0])}?" if close else "")
        )
    return model_file(value) if isinstance(value, Path) else value


def data_yamls(paths: list[Path] | None) -> list[Path] | None:
    """Return YAMLs with data sections; raise errors of :func:`lightning_app.cli.fit_arguments.check_data` at once."""
    check_data(paths or [])
    return paths


def one_of(*choices: str) -> Callable[..., Any]:
    """A callback that raises ValueError for a value that is none of the choices, before torch is imported."""

    def check(value: Any, param: typer.CallbackParam) -> Any:
        if value not in (*choices, None):
            close = get_close_matches(str(value), choices, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"{param.opts[0]} {value!r} is not {' or '.join(choices)}{meant}")
        return value

    return check


def _protocols(value: Any) -> Any:
    """Check names of protocols, comma-separated or repeated."""
    for name in ",".join(value or ()).split(","):
        if name:
            require_protocol(name.strip())
    return value


SIZE: dict[str, Any] = {"metavar": "HxW", "callback": _read_sizes}  # for options with a size
MODEL: dict[str, Any] = {"metavar": "MODEL", "callback": models, "show_default": False}  # for arguments
YAMLS: dict[str, Any] = {"metavar": "YAML", "callback": data_yamls}  # for options with YAMLs that have a data section
Data = Annotated[
    list[Path],
    typer.Option(
        **YAMLS,
        help="YAML with a data section; repeatable, later files override earlier ones.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        **MODEL, help="Checkpoint (.ckpt), run folder, ONNX file (.onnx, .ort) or converted file (.tflite, .pte)."
    ),
]
Checkpoint = Annotated[
    Path, typer.Argument(**{**MODEL, "metavar": "CHECKPOINT"}, help="Checkpoint (.ckpt) or run folder.")
]
Split = Annotated[str, typer.Option(callback=one_of("val", "test"), help="Split: val or test.")]
Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        callback=_protocols,
        help="Protocols, comma-separated or repeated (default: the YAML's).",
    ),
]
Json = Annotated[Path | None, typer.Option("--output", help="Also write the results to this JSON file.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing output.")]
SkipCorrupt = Annotated[bool, typer.Option("--skip-corrupt", help="Skip and report corrupt images.")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="Threads per inference session.")]
Runs = Annotated[int, typer.Option(min=1, metavar="N", help="Timed runs per file, interleaved.")]


def refuse_given(context: typer.Context, names: Iterable[str], reason: str) -> None:
    """Raise ValueError if one of these options is given on the command line.

    Args:
        context: context of the command.
        names: names of the parameters.
        reason: text after the name of the option in the error message.
    """
    for param in context.command.params:
        if param.name in names and str(context.get_parameter_source(param.name)).endswith("COMMANDLINE"):
            raise ValueError(f"{param.opts[0]} {reason}")


def call(function: str, *args: Any) -> None:
    """Import ``module:function`` and call it. Other verbs do not import the module."""
    module, name = function.split(":")
    target: Callable[..., Any] = getattr(importlib.import_module(module), name)
    target(*args)
