"""The verbs that predict and evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.options import (
    MODEL,
    YAMLS,
    Data,
    Json,
    Model,
    Overwrite,
    Protocols,
    SkipCorrupt,
    Split,
    call,
    one_of,
)

evaluation = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "Evaluate"}


@evaluation.command(**_PANEL)
def evaluate(
    model: Model,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            **YAMLS,
            help="YAML with a data section; repeatable, later files override earlier ones (default with --per-dataset: "
            "cross_data.yaml).",
            show_default=False,
        ),
    ] = None,
    per_dataset: Annotated[
        bool,
        typer.Option(
            "--per-dataset", help="Score each data set separately, under every protocol that supports its ground truth."
        ),
    ] = False,
    split: Split = "test",
    protocol: Protocols = None,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a model under evaluation protocols."""
    if not data and not per_dataset:
        raise ValueError("evaluate needs --data YAML, or --per-dataset, which has a default")
    name = "evaluate_per_dataset" if per_dataset else "evaluate"
    yamls = data or [Path("experiments/cross_data.yaml")]
    call(f"deploy.inference.evaluate:{name}", model, yamls, split, _names(protocol), output, overwrite)


@evaluation.command(**_PANEL)
def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            help="Folder of .npy, .npz or 16-bit .png files, or one .npy or .npz file (frames, h, w).",
            show_default=False,
        ),
    ],
    data: Data,
    split: Split = "test",
    protocol: Protocols = None,
    predicts: Annotated[
        str, typer.Option(callback=one_of("depth", "inverse_depth"), help="depth (metres) or inverse_depth (relative).")
    ] = "depth",
    scale: Annotated[float | None, typer.Option(help="Divisor of integer values (PNG), e.g. 256.")] = None,
    view: Annotated[
        str,
        typer.Option(
            callback=one_of("full", "kb"), help="Region of the predictions: full or kb (KITTI benchmark crop)."
        ),
    ] = "full",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Count frames without a valid prediction as missing.")
    ] = False,
    stretched: Annotated[
        bool, typer.Option("--stretched", help="Accept predictions with another aspect ratio than their frames.")
    ] = False,
    output: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate predictions from any model."""
    if not predictions.exists():
        raise FileNotFoundError(f"{predictions}: no such file or folder of predictions")
    options = (predicts, scale, view, skip_missing, stretched, output, overwrite)
    call("lightning_app.evaluation.score_predictions:score", predictions, data, split, _names(protocol), *options)


@evaluation.command(**_PANEL)
def predict(
    model: Model,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGES", help="Images, folders or patterns such as '*.jpg'.", show_default=False),
    ],
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/predict"),
    overwrite: Overwrite = False,
    skip_corrupt: SkipCorrupt = False,
    focal_px: Annotated[
        float | None, typer.Option(help="Focal length in pixels, for networks with a canonical camera.")
    ] = None,
) -> None:
    """Predict depth of images: NAME.npy (metres) and NAME.png.

    Predictions that are already there are kept. Exit status 1 if an image is corrupt.
    """
    call("deploy.inference.predict:predict", model, images, output, overwrite, skip_corrupt, focal_px)


@evaluation.command(**_PANEL)
def label(
    teacher: Annotated[
        Path,
        typer.Argument(
            **{**MODEL, "metavar": "TEACHER"}, help="Checkpoint (.ckpt), run folder or any ONNX file (.onnx)."
        ),
    ],
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of images.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Output folder.", show_default=False)],
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="YAML", help="Format of an ONNX file not written by export, e.g. a YAML of experiments/teachers."
        ),
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average with the prediction for the flipped image.")
    ] = False,
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


def _names(protocols: list[str] | None) -> list[str] | None:
    return [name.strip() for names in protocols for name in names.split(",")] if protocols else None
