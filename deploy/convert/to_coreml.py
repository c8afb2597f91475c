"""Checkpoint -> Core ML (.mlpackage) in fp16, for iPhones."""

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

TOLERANCE = 2e-2  # relative; fp16 weights leave trained networks below 1e-2


def to_coreml(
    checkpoint: Path, output: Path | None = None, size: tuple[int, int] | None = None, overwrite: bool = False
) -> Path:
    """Write a checkpoint as a Core ML program: ``image``, an RGB image of 8 bits, -> ``depth``, (1, 1, h, w).

    It cannot be run here. What its file says, operations and fp16 weights, is computed in torch instead.

    Args:
        checkpoint: of PocketDepth.
        output: the .mlpackage, a folder; beside the checkpoint if left out.
        size: (height, width); what the checkpoint was trained at if left out.
        overwrite: replace an ``output`` that exists.

    Returns:
        The package's path.

    Raises:
        ImportError: coremltools is not installed.
        FileNotFoundError: no such checkpoint.
        FileExistsError: ``output`` exists.
        ValueError: not a checkpoint of PocketDepth, or a size that the network's stride does not divide.
        RuntimeError: coremltools cannot convert the network, or its program does not agree with ONNX Runtime; nothing
            is written.
    """
    output = output or checkpoint.with_suffix(".mlpackage")
    if output.suffix != ".mlpackage":
        raise ValueError(f"{output}: a Core ML package's name ends in .mlpackage")
    refuse_existing(output, overwrite=overwrite)
    require("coremltools", "coreml")
    source = open_source(checkpoint, size)
    model = convert(source)
    with atomic_folder(output) as temporary:
        with quiet("write"):
            model.save(str(temporary))
        program = MilProgram(temporary)
        error = float("nan") if program.unknown else _disagreement(source, program)
        if error > TOLERANCE:
            raise RuntimeError(
                f"Core ML's program and ONNX differ by {error:.1e} of the depth, {TOLERANCE:.0e} allowed"
            )
    size_mb = sum(file.stat().st_size for file in output.rglob("*") if file.is_file()) / 1e6
    print(f"{checkpoint} -> {output}: {source.size[0]}x{source.size[1]}, fp16, {size_mb:.2f} MB, ", end="")
    if program.unknown:
        print(f"not compared with ONNX: {', '.join(program.unknown)} cannot be computed here")
    else:
        print(f"its program, computed in torch, within {error:.0e} of the depth of ONNX")
    print("  Core ML itself runs on Apple's systems alone: its own arithmetic was not seen")
    return output


def convert(source: Source) -> Any:
    """coremltools' model of a network.

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
    except Exception as error:  # of torch.export, or of coremltools
        raise RuntimeError(f"coremltools cannot convert this network ({' '.join(str(error).split())[:300]})") from error
    model.user_defined_metadata.update(source.info.to_metadata() | ModelInfo(precision="fp16").to_metadata())
    model.short_description = f"Monocular depth: an RGB image -> {source.info.units}"
    return model


def _disagreement(source: Source, program: MilProgram) -> float:
    images = [(np.rint(image * 255) / 255).astype(np.float32) for image in random_images(source.size)]
    return largest_difference(source.reference, program, images, source.reference.predicts)
