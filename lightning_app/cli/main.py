"""The command line. Imports no torch: a verb imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.benchmark import measure
from lightning_app.cli.data import data
from lightning_app.cli.deploy import deploy
from lightning_app.cli.options import Data, Json, Model, Overwrite, Protocols, SkipCorrupt, Split, call
from lightning_app.error_messages import one_line

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
    "rich_help_panel": "Train",
}
_FILES: dict[str, Any] = {"rich_help_panel": "Evaluate"}

# Former verbs and what replaces them.
_MOVED = {
    "camera": "export FILE.onnx --camera HEIGHTxWIDTH",
    "convert coreml": "convert FILE --to coreml",
    "convert executorch": "convert FILE --to executorch",
    "convert litert": "convert FILE --to litert",
    "convert qnn": "convert FILE --to qnn",
    "data benchmark": "profile --loader",
    "encoders": "benchmark --encoder NAME",
    "gates": "targets FILE.onnx",
    "sensitivity": "quantize FILE.onnx IMAGES --sensitivity FOLDER",
    "style": "data stylize",
    "style apply": "data stylize --output FOLDER",
    "style bank": "data stylize --output bank.npz",
    "style cost": "profile -c YAML",
}


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes longer to import than most verbs to start

        print(f"pocketdepth {version('pocketdepth')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(**_LIGHTNING)
def fit(context: typer.Context) -> None:
    """Train an experiment: fit -c base.yaml -c x.yaml [--key value]."""
    call("lightning_app.training.lightning_cli:run", "fit", context.args)


@app.command(**_LIGHTNING)
def validate(context: typer.Context) -> None:
    """Evaluate a checkpoint on the validation split (--ckpt_path)."""
    call("lightning_app.training.lightning_cli:run", "validate", context.args)


@app.command(**_LIGHTNING)
def test(context: typer.Context) -> None:
    """Evaluate a checkpoint on the test split (--ckpt_path)."""
    call("lightning_app.training.lightning_cli:run", "test", context.args)


@app.command(**_LIGHTNING | {"add_help_option": True})
def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="YAML per variant, or table of variants (FILE.yaml, or FILE.yaml:NAME for one); the first variant is "
            "the baseline. Other arguments are passed to fit, e.g. --trainer.max_steps 500.",
            metavar="VARIANT",
            show_default=False,
        ),
    ],
    config: Annotated[
        list[Path],
        typer.Option(
            "--config",
            "-c",
            metavar="YAML",
            help="Experiment YAML below all variants; repeatable, the last one wins.",
            show_default=False,
        ),
    ],
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Name of a variant to run; repeatable (default: all).")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Seeds per variant.")] = 3,
    split: Split = "val",
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Parallel runs.")] = 1,
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/compare"),
    overwrite: Overwrite = False,
) -> None:
    """Train and compare variants of an experiment over seeds.

    Finished runs are cached, interrupted ones resume when the same command is run again.
    """
    variants = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    rest = arguments[len(variants) :]
    options = (rest, seeds, split, jobs, output, overwrite, only or [])
    call("lightning_app.comparison.compare:compare", list(map(Path, variants)), config, *options)


@app.command(**_FILES)
def evaluate(
    model: Model,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="YAML with a data section; repeat it, the later wins. Required without --per-dataset; "
            "experiments/cross_data.yaml by default with it.",
            show_default=False,
        ),
    ] = None,
    per_dataset: Annotated[
        bool,
        typer.Option(
            "--per-dataset", help="Score each reader of the split separately, under every protocol that fits its truth."
        ),
    ] = False,
    split: Split = "test",
    protocol: Protocols = None,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a model under evaluation protocols."""
    if not data and not per_dataset:
        raise ValueError("evaluate needs --data YAML, the data to evaluate on; only --per-dataset has a default")
    name = "evaluate_per_dataset" if per_dataset else "evaluate"
    yamls = data or [Path("experiments/cross_data.yaml")]
    call(f"deploy.inference.evaluate:{name}", model, yamls, split, _names(protocol), output, overwrite)


@app.command(**_FILES)
def score(
    predictions: Annotated[
        Path, typer.Argument(help="Folder of .npy or 16-bit .png files, named like the frames.", show_default=False)
    ],
    data: Data,
    split: Split = "test",
    protocol: Protocols = None,
    predicts: Annotated[str, typer.Option(help="depth (metres) or inverse_depth (relative).")] = "depth",
    scale: Annotated[float | None, typer.Option(help="Divisor of PNG values, e.g. 256.")] = None,
    view: Annotated[str, typer.Option(help="Region predictions cover: full or kb (KITTI benchmark crop).")] = "full",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Count frames without a valid prediction as missing.")
    ] = False,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a folder of predictions from any model."""
    options = (predicts, scale, view, skip_missing, output, overwrite)
    call("lightning_app.evaluation.score_predictions:score", predictions, data, split, _names(protocol), *options)


@app.command(**_FILES)
def predict(
    model: Model,
    images: Annotated[Path, typer.Argument(help="Image or folder of images.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/predict"),
    overwrite: Overwrite = False,
    skip_corrupt: SkipCorrupt = False,
    focal_px: Annotated[
        float | None, typer.Option(help="Focal length in pixels, for networks with a canonical camera.")
    ] = None,
) -> None:
    """Predict depth of images: NAME.npy (metres) and NAME.png."""
    call("deploy.inference.predict:predict", model, images, output, overwrite, skip_corrupt, focal_px)


@app.command(**_FILES)
def label(
    teacher: Annotated[Path, typer.Argument(help="Checkpoint (.ckpt) or any ONNX file (.onnx).", show_default=False)],
    images: Annotated[Path, typer.Argument(help="Folder of images.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder of the labels.", show_default=False)],
    settings: Annotated[
        Path | None, typer.Option(help="Input and output of a foreign ONNX file: a YAML of experiments/teachers.")
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Average with the flipped image.")] = False,
    scale: Annotated[
        list[float] | None, typer.Option(metavar="FACTOR", help="Input scale; repeatable, predictions are averaged.")
    ] = None,
    shard: Annotated[str, typer.Option(help="Part to label, e.g. 2/4.")] = "1/1",
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Parallel processes.")] = 1,
    skip_corrupt: SkipCorrupt = False,
) -> None:
    """Pseudo-label images with a teacher's inverse depth."""
    options = (settings, mirror, scale, shard, jobs, skip_corrupt)
    call("lightning_app.data_tools.pseudo_label:label", teacher, images, output, *options)


app.add_typer(data, name="data", help="Inspect, convert and stylize datasets.", rich_help_panel="Data")
app.add_typer(deploy)
app.add_typer(measure)


def main(args: list[str] | None = None) -> None:
    """Run the command line; what a user can cause ends in one line and exit status 2 (wrong use) or 1 (failure).

    ``POCKETDEPTH_DEBUG=1`` shows the traceback instead.
    """
    try:
        _refuse_moved(sys.argv[1:] if args is None else args)
        app(args, prog_name="pocketdepth")
    except KeyboardInterrupt:
        sys.exit("pocketdepth: interrupted")
    except (ValueError, ImportError, FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        _fail(error, 2)
    except (RuntimeError, OSError) as error:
        _fail(error, 1)


def _refuse_moved(args: list[str]) -> None:
    """Raises ValueError, naming its replacement, for a verb of former versions."""
    for former in (" ".join(args[:2]), *args[:1]):
        if former in _MOVED:
            raise ValueError(f"no command '{former}'; use pocketdepth {_MOVED[former]}")


def _fail(error: Exception, status: int) -> None:
    if os.environ.get("POCKETDEPTH_DEBUG"):
        raise error
    print(f"pocketdepth: error: {one_line(error)}", file=sys.stderr)
    sys.exit(status)


def _names(protocols: list[str] | None) -> list[str] | None:
    return [name.strip() for names in protocols for name in names.split(",")] if protocols else None
