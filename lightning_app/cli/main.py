"""The command line. Imports no torch: a verb imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentError
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.benchmark import measure
from lightning_app.cli.convert import convert
from lightning_app.cli.data import data
from lightning_app.cli.deploy import deploy
from lightning_app.cli.experiments import experiments
from lightning_app.cli.options import Data, Json, Model, Overwrite, Protocols, Split, call
from lightning_app.cli.style import style
from lightning_app.error_messages import one_line, user_error
from lightning_app.experiments import import_from

app = typer.Typer(
    help="Train monocular depth networks that run in real time on phones, and ship them.",
    epilog="Start: pocketdepth fit -c experiments/base.yaml -c experiments/quickstart.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_LIGHTNING: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
    "rich_help_panel": "From a YAML (any key can be given on the command line; --print_config shows them all)",
}
_FILES: dict[str, Any] = {"rich_help_panel": "From a file (a checkpoint or an ONNX file)"}

app.add_typer(data, name="data", help="Look at data, time it, and write it anew.", rich_help_panel="From a folder")
app.add_typer(style, name="style", help="Banks of styles, stylised copies, cost.", rich_help_panel="From a folder")
app.add_typer(deploy)
app.add_typer(
    convert, name="convert", help="Core ML, LiteRT, ExecuTorch and QNN (optional).", rich_help_panel="To a phone"
)
app.add_typer(measure)
app.add_typer(experiments)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes longer to import than most verbs to start

        print(f"pocketdepth {version('pocketdepth')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


@app.command(**_LIGHTNING)
def fit(context: typer.Context) -> None:
    """Train: pocketdepth fit -c experiments/base.yaml -c experiments/x.yaml"""
    call("lightning_app.training.lightning_cli:run", "fit", context.args)


@app.command(**_LIGHTNING)
def validate(context: typer.Context) -> None:
    """Score on the frames to choose on: the same YAMLs and --ckpt_path."""
    call("lightning_app.training.lightning_cli:run", "validate", context.args)


@app.command(**_LIGHTNING)
def test(context: typer.Context) -> None:
    """Score on the frames to report on: the same YAMLs and --ckpt_path."""
    call("lightning_app.training.lightning_cli:run", "test", context.args)


@app.command(**_LIGHTNING | {"add_help_option": True})
def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="A YAML for each variant, the first is the baseline; then keys for all, e.g. --trainer.max_steps 500.",
            metavar="VARIANT.yaml ... [--key value ...]",
            show_default=False,
        ),
    ],
    config: Annotated[
        list[Path], typer.Option("--config", "-c", help="The YAMLs below all variants.", show_default=False)
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    split: Split = "val",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time.")] = 1,
    output: Annotated[Path, typer.Option(help="Folder of the runs, the table and the pictures.")] = Path(
        "runs/compare"
    ),
    overwrite: Overwrite = False,
) -> None:
    """Train variants of an experiment with several seeds, and draw what they score.

    What is trained already is not trained again, what was broken off goes on: interrupt it as you like, and run it
    with --split test afterwards.
    """
    variants = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    rest = arguments[len(variants) :]
    options = (rest, seeds, split, jobs, output, overwrite)
    call("lightning_app.comparison.compare:compare", list(map(Path, variants)), config, *options)


@app.command(**_FILES)
def evaluate(
    model: Model,
    data: Data,
    split: Split = "test",
    protocol: Protocols = None,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a model under evaluation protocols."""
    call("deploy.inference.evaluate:evaluate", model, data, split, _names(protocol), output, overwrite)


@app.command("cross-data", **_FILES)
def cross_data(
    model: Model,
    data: Annotated[
        list[Path], typer.Option(help="YAML whose test readers are the data sets; repeat it, the later wins.")
    ] = [Path("experiments/cross_data.yaml")],  # noqa: B006 (Typer copies it)
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a model on every data set that is there, each under all its protocols: one table."""
    call("deploy.inference.evaluate:cross_data", model, data, output, overwrite)


@app.command(rich_help_panel="From a folder")
def score(
    predictions: Annotated[
        Path, typer.Argument(help="Folder of .npy or 16-bit .png files, named after the frames.", show_default=False)
    ],
    data: Data,
    split: Split = "test",
    protocol: Protocols = None,
    predicts: Annotated[str, typer.Option(help="depth (metres) or inverse_depth (up to scale and shift).")] = "depth",
    scale: Annotated[float | None, typer.Option(help="What a PNG's values are divided by, e.g. 256.")] = None,
    view: Annotated[str, typer.Option(help="What predictions show of a frame: full, or kb (KITTI's crop).")] = "full",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Count frames without a usable prediction as missing.")
    ] = False,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a folder of anyone's predictions under evaluation protocols."""
    options = (predicts, scale, view, skip_missing, output, overwrite)
    call("lightning_app.evaluation.score_predictions:score", predictions, data, split, _names(protocol), *options)


@app.command(**_FILES)
def predict(
    model: Model,
    images: Annotated[Path, typer.Argument(help="An image, or a folder of images.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder.")] = Path("runs/predict"),
    overwrite: Overwrite = False,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Report corrupt images and go on.")] = False,
    focal_px: Annotated[
        float | None, typer.Option(help="Focal length in pixels of the images, for a network with a canonical camera.")
    ] = None,
) -> None:
    """Write NAME.npy (float32 metres, the image's size) and a coloured NAME.png for each image."""
    call("deploy.inference.predict:predict", model, images, output, overwrite, skip_corrupt, focal_px)


@app.command(**_FILES)
def label(
    teacher: Annotated[Path, typer.Argument(help="A checkpoint (.ckpt) or any ONNX file (.onnx).", show_default=False)],
    images: Annotated[Path, typer.Argument(help="Folder of photographs.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder of the labels.", show_default=False)],
    settings: Annotated[
        Path | None, typer.Option(help="What a foreign ONNX file takes and predicts: a YAML in experiments/teachers.")
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Average with the mirrored image.")] = False,
    scale: Annotated[list[float] | None, typer.Option(help="Of its size; repeat it to average over several.")] = None,
    shard: Annotated[str, typer.Option(help="2/4 labels the second of four parts.")] = "1/1",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Report corrupt images and go on.")] = False,
) -> None:
    """Write a teacher's inverse depth of photographs, to train a student from."""
    options = (settings, mirror, scale, shard, jobs, skip_corrupt)
    call("lightning_app.data_tools.pseudo_label:label", teacher, images, output, *options)


def main(args: list[str] | None = None) -> None:
    """Run the command line; what a user can cause ends in one line and exit status 2 (wrong use) or 1 (failure).

    ``POCKETDEPTH_DEBUG=1`` shows the traceback instead.
    """
    import_from(Path.cwd())
    try:
        app(args, prog_name="pocketdepth")
    except KeyboardInterrupt:
        sys.exit("pocketdepth: interrupted")
    except (ArgumentError, ValueError, ImportError, FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        _fail(error, 2)
    except (RuntimeError, OSError) as error:
        _fail(error, 1)
    except Exception as error:
        if user_error(error) is None:
            raise
        _fail(error, 1)


def _fail(error: Exception, status: int) -> None:
    if os.environ.get("POCKETDEPTH_DEBUG"):
        raise error
    print(f"pocketdepth: error: {user_error(error) or one_line(error)}", file=sys.stderr)
    sys.exit(status)


def _names(protocols: list[str] | None) -> list[str] | None:
    return [name.strip() for names in protocols for name in names.split(",")] if protocols else None
