"""Conversion of checkpoints to Core ML (.mlpackage) in fp16, for iPhones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.convert.coreml_in_torch import MilProgram
from deploy.convert.source import Source, open_source
from deploy.inference.model_info import ModelInfo
from deploy.inference.optional_packages import quiet, require
from deploy.measure.agreement import largest_difference, random_images
from lightning_app.files import atomic_folder, refuse_existing

TOLERANCE = 2e-2  # relative; trained networks with fp16 weights differ by less than 1e-2


def to_coreml(
    checkpoint: Path, output: Path | None = None, size: tuple[int, int] | None = None, overwrite: bool = False
) -> Path:
    """Convert a checkpoint to a Core ML program: ``image``, 8-bit RGB, -> ``depth``, (1, 1, h, w).

    Core ML runs on Apple systems only. To verify the program, its operations and fp16 weights are executed in torch.

    Args:
        checkpoint: PocketDepth checkpoint.
        output: .mlpackage folder; next to the checkpoint if None.
        size: input (height, width); the training size if None.
        overwrite: replace an existing ``output``.

    Returns:
        Path of the package.

    Raises:
        ImportError: coremltools is not installed.
        FileNotFoundError: no such checkpoint.
        FileExistsError: ``output`` exists.
        ValueError: not a PocketDepth checkpoint, a size that is not a multiple of the network's stride, or a wrong
            suffix of ``output``.
        RuntimeError: coremltools cannot convert the network, or the program does not agree with ONNX Runtime. Nothing
            is written.
    """
    output = output or checkpoint.with_suffix(".mlpackage")
    if output.suffix != ".mlpackage":
        raise ValueError(f"{output}: the name of a Core ML package must end in .mlpackage")
    refuse_existing(output, overwrite=overwrite)
    require("coremltools", "coreml")
    source = open_source(checkpoint, size)
    model = convert(source)
    with atomic_folder(output) as temporary:
        with quiet("write"):
            model.save(str(temporary))
        program = MilProgram(temporary)
        error = float("nan") if program.unknown else _disagreement(source, program)
        if not program.unknown and not error <= TOLERANCE:  # NaN is above it, too
            raise RuntimeError(
                f"{checkpoint}: relative difference of Core ML to ONNX is {error:.1e}, above the tolerance "
                f"{TOLERANCE:.0e}"
            )
    size_mb = sum(file.stat().st_size for file in output.rglob("*") if file.is_file()) / 1e6
    print(f"{checkpoint} -> {output}: {source.size[0]}x{source.size[1]}, fp16, {size_mb:.2f} MB, ", end="")
    if program.unknown:
        print(f"not compared with ONNX: {', '.join(program.unknown)} cannot be executed in torch")
    else:
        print(f"executed in torch, relative difference to ONNX at most {error:.0e}")
    print("  Core ML runs on Apple systems only: the program was not run in Core ML")
    return output


def convert(source: Source) -> Any:
    """Convert a network with coremltools.

    Returns:
        The ``coremltools.models.MLModel``, with metadata.

    Raises:
        RuntimeError: coremltools cannot convert the network.
    """
    tools = require("coremltools", "coreml")
    shape = (1, 3, *source.size)
    image = {"scale": 1 / 255, "color_layout": tools.colorlayout.RGB}
    try:
        with quiet("convert"):
            program = torch.export.export(source.network, (torch.zeros(shape),)).run_decompositions({})
            model = tools.convert(
                program,
                convert_to="mlprogram",
                minimum_deployment_target=tools.target.iOS16,
                compute_precision=tools.precision.FLOAT16,
                inputs=[tools.ImageType("image", shape=shape, **image)],
                outputs=[tools.TensorType("depth", dtype=np.float32)],
            )
    except Exception as error:  # torch.export and coremltools raise exceptions of many kinds
        raise RuntimeError(f"coremltools cannot convert this network ({' '.join(str(error).split())[:300]})") from error
    model.user_defined_metadata.update(source.info.to_metadata() | ModelInfo(precision="fp16").to_metadata())
    model.short_description = f"Monocular depth: an RGB image -> {source.info.units}"
    return model


def _disagreement(source: Source, program: MilProgram) -> float:
    images = [(np.rint(image * 255) / 255).astype(np.float32) for image in random_images(source.size)]
    return largest_difference(source.reference, program, images, source.reference.predicts)
