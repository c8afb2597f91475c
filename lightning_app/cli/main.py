"""The command line. Imports no torch: each verb imports its code when it is called."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentError
from pathlib import Path
from typing import Annotated

import typer

from lightning_app.cli.benchmark import measure
from lightning_app.cli.data import data
from lightning_app.cli.deploy import deploy
from lightning_app.cli.evaluate import evaluation
from lightning_app.cli.experiments import experiments
from lightning_app.cli.train import train
from lightning_app.cli.usage import UsageError, usage_message
from lightning_app.error_messages import one_line, user_error
from lightning_app.experiments import import_from
from lightning_app.own_packages import require_own_packages
from lightning_app.signals import end_with_parent, exit_on_signals

app = typer.Typer(
    help="Train monocular depth networks that run in real time on phones, and ship them.",
    epilog="Start: pocketdepth fit -c base.yaml -c quickstart.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Verbs of older versions and of other programs, and their replacements.
_MOVED = {
    "bench": "benchmark",
    "camera": "export FILE.onnx --camera HEIGHTxWIDTH",
    "convert coreml": "convert FILE --to coreml",
    "convert executorch": "convert FILE --to executorch",
    "convert litert": "convert FILE --to litert",
    "convert qnn": "convert FILE --to qnn",
    "coreml": "convert FILE --to coreml",
    "cross-data": "evaluate MODEL --per-dataset",
    "data benchmark": "profile --loader",
    "demo": "predict",
    "encoders": "benchmark --encoder NAME",
    "eval": "evaluate",
    "executorch": "convert FILE --to executorch",
    "finetune": "fit --model.weights FILE.ckpt",
    "gates": "targets FILE.onnx",
    "infer": "predict",
    "inference": "predict",
    "litert": "convert FILE --to litert",
    "onnx": "export",
    "qnn": "convert FILE --to qnn",
    "resume": "fit --ckpt_path FILE.ckpt",
    "run": "predict",
    "sensitivity": "quantize FILE.onnx IMAGES --sensitivity FOLDER",
    "style": "data stylize",
    "style apply": "data stylize --output FOLDER",
    "style bank": "data stylize --output bank.npz",
    "style cost": "profile -c YAML",
    "tflite": "convert FILE --to litert",
    "train": "fit",
    "val": "validate",
}


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # slow to import

        print(f"pocketdepth {version('pocketdepth')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.add_typer(train)
app.add_typer(experiments)
app.add_typer(evaluation)
app.add_typer(data, name="data", help="Inspect, convert, stylize and render datasets.", rich_help_panel="Data")
app.add_typer(deploy)
app.add_typer(measure)


def main(args: list[str] | None = None) -> None:
    """Run the command line. Errors are printed as one line; the exit status is 2 (wrong use) or 1 (failure).

    Ctrl-C ends it with status 130, SIGTERM with 143.

    ``POCKETDEPTH_DEBUG=1`` shows the traceback instead.

    Args:
        args: arguments; None for those of the process.
    """
    end_with_parent()
    try:
        require_own_packages()
        import_from(Path.cwd())
        _refuse_moved(sys.argv[1:] if args is None else args)
        with exit_on_signals():
            sys.exit(app(args, prog_name="pocketdepth", standalone_mode=False))
    except UsageError as error:
        _fail(error, 2)
    except KeyboardInterrupt:
        print("pocketdepth: interrupted", file=sys.stderr)
        sys.exit(130)
    except (ArgumentError, ValueError, ImportError, FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        _fail(error, 2)
    except (RuntimeError, OSError) as error:
        _fail(error, 1)
    except Exception as error:
        if user_error(error) is None:
            raise
        _fail(error, 1)


def _refuse_moved(args: list[str]) -> None:
    """Raise ValueError with the replacement for a verb of an older version."""
    for former in (" ".join(args[:2]), *args[:1]):
        if former in _MOVED:
            raise ValueError(f"no command '{former}'; use pocketdepth {_MOVED[former]}")


def _fail(error: Exception, status: int) -> None:
    if os.environ.get("POCKETDEPTH_DEBUG"):
        raise error
    message = usage_message(error, app) if isinstance(error, UsageError) else user_error(error) or one_line(error)
    if message:
        print(f"pocketdepth: error: {message}", file=sys.stderr)
    sys.exit(status)
