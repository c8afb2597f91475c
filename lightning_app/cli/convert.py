"""The verbs of ``pocketdepth convert``: runtimes beside ONNX Runtime, each with an extra of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lightning_app.cli.options import Overwrite, call

convert = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint (.ckpt).", show_default=False)]
Size = Annotated[
    tuple[int, int] | None, typer.Option(help="Height and width, e.g. --size 192 640; as trained if left out.")
]


@convert.command()
def coreml(
    checkpoint: Checkpoint,
    output: Annotated[Path | None, typer.Option(help=".mlpackage; beside the checkpoint if left out.")] = None,
    size: Size = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a Core ML program in fp16 for iPhones, which takes images. Needs the extra coreml."""
    call("deploy.convert.to_coreml:to_coreml", checkpoint, output, size, overwrite)


@convert.command()
def litert(
    checkpoint: Checkpoint,
    output: Annotated[Path | None, typer.Option(help=".tflite file; beside the checkpoint if left out.")] = None,
    size: Size = None,
    int8: Annotated[bool, typer.Option("--int8", help="Quantize it, all but normalisation and head.")] = False,
    images: Annotated[Path | None, typer.Option(help="Folder of images to calibrate int8 on.")] = None,
    number: Annotated[int, typer.Option(min=1, help="How many images, spread over the folder.")] = 64,
    overwrite: Overwrite = False,
) -> None:
    """Write a LiteRT (TensorFlow Lite) file in fp32 or int8. Needs the extra litert."""
    call("deploy.convert.to_litert:to_litert", checkpoint, output, size, int8, images, number, overwrite)


@convert.command()
def executorch(
    checkpoint: Checkpoint,
    output: Annotated[Path | None, typer.Option(help=".pte file; beside the checkpoint if left out.")] = None,
    size: Size = None,
    overwrite: Overwrite = False,
) -> None:
    """Write an ExecuTorch file in fp32 for XNNPACK. Needs the extra executorch."""
    call("deploy.convert.to_executorch:to_executorch", checkpoint, output, size, overwrite)


@convert.command()
def qnn(
    model: Annotated[Path, typer.Argument(help="An ONNX file, int8 as a rule.", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="ONNX file; NAME-CHIP.onnx if left out.")] = None,
    chip: Annotated[str, typer.Option(help="SM8450, SM8550, SM8650 (Snapdragon 8 Gen 3), SM8750 or SM8850.")] = (
        "SM8650"
    ),
    images: Annotated[Path | None, typer.Option(help="Folder of images to compare on; noise if left out.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compile an ONNX file for a Snapdragon's NPU, whole or not at all. Needs the extra qnn."""
    call("deploy.convert.to_qnn:to_qnn", model, output, chip, images, overwrite)
