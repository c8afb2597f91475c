"""Checkpoint -> ONNX: fused, of static size, and in agreement with torch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.export.camera_input import require_agreement, with_camera
from deploy.export.fp16_and_ort import LARGEST_FP16, to_fp16, write_ort
from deploy.export.model_card import read_training, write_card
from deploy.export.stem_statistics import stem_statistics
from deploy.export.to_onnx import to_onnx
from deploy.inference.onnx_network import OnnxNetwork
from deploy.inference.torch_network import Checkpoint, open_checkpoint
from deploy.measure.agreement import largest_difference, random_images
from deploy.measure.mobile_partitions import mobile_partitions
from lightning_app.files import atomic_write, refuse_existing
from models.encoder import fuse

Precision = Literal["fp32", "fp16"]

TOLERANCE = {"fp32": 1e-3, "fp16": 2e-2}  # relative; trained networks stay below 1e-4 and 5e-3


def export(
    checkpoint: Path,
    output: Path | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    precision: Precision = "fp32",
    camera: tuple[int, int] | None = None,
    ort: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write a checkpoint as ONNX files, ``image`` RGB in [0, 1], (1, 3, H, W) -> ``depth`` metres, (1, 1, h, w), and a
    model card beside them (``NAME.md``).

    Args:
        checkpoint: of PocketDepth.
        output: the ONNX file; beside the checkpoint if left out, with ``-fp16`` and ``-camera`` in its name.
        sizes: (height, width) of each file, ``NAME-192x640.onnx`` if there are several; what the checkpoint was
            trained at if left out.
        precision: ``fp32``, or ``fp16``: half as large and for GPUs, NPUs and CoreML.
        camera: (height, width) of a camera's frames: the file takes them as uint8 (H, W, 3), and gives depth (H, W).
        ort: write ``NAME.ort`` beside each, which minimal builds of ONNX Runtime open.
        overwrite: replace outputs that exist.

    Returns:
        The ONNX files' paths in the order of the sizes, then those of the .ort files.

    Raises:
        FileNotFoundError: no such checkpoint.
        FileExistsError: an output that exists.
        ValueError: not a checkpoint of PocketDepth, a size that the network's stride does not divide, or options that
            do not fit each other.
        RuntimeError: a file does not agree with torch; it is not written.
    """
    if precision not in TOLERANCE:
        raise ValueError(f"no precision {precision!r}; there are {', '.join(TOLERANCE)}")
    if ort and precision == "fp16":
        raise ValueError("an .ort file is made for a CPU, which would store fp16 as fp32 again: export it in fp32")
    ends = ("-fp16" if precision == "fp16" else "") + ("-camera" if camera else "")
    output = output or checkpoint.with_name(f"{checkpoint.stem}{ends}.onnx")
    if output.suffix != ".onnx":
        raise ValueError(f"{output}: an ONNX file's name ends in .onnx")
    opened = open_checkpoint(checkpoint)
    sizes = list(dict.fromkeys(sizes or [opened.size]))
    files = [output if len(sizes) == 1 else output.with_stem(f"{output.stem}-{h}x{w}") for h, w in sizes]
    packed = [file.with_suffix(".ort") for file in files if ort]
    card = output.with_suffix(".md")
    refuse_existing(*files, *packed, card, overwrite=overwrite)
    for size in sizes:
        opened.network.check_size(size)  # type: ignore[operator]
    training = read_training(checkpoint)
    about = {"licence": training.conclusion, "checkpoint": checkpoint.name}
    for size, file in zip(sizes, files, strict=True):
        _write(opened, size, precision, camera, file, about)
    for file, target in zip(files, packed, strict=False):
        with atomic_write(target) as temporary:
            write_ort(file, temporary)
        print(f"  {target}: {target.stat().st_size / 1e6:.2f} MB, for minimal builds of ONNX Runtime")
    write_card(card, checkpoint, files)
    print(f"{card}: how to run it, how it was trained; licence: {training.conclusion}")
    return files + packed


def _write(
    opened: Checkpoint,
    size: tuple[int, int],
    precision: Precision,
    camera: tuple[int, int] | None,
    output: Path,
    about: dict[str, str],
) -> None:
    """Write one file, once it agrees with torch, and say what it is."""
    model = to_onnx(opened.network, size)
    onnx.helper.set_model_props(
        model, _metadata(opened, size, precision, model) | stem_statistics(fuse(opened.network)) | about
    )
    if precision == "fp16":
        require_range(opened.network, size)
        model = to_fp16(model)
    note = ""
    with tempfile.TemporaryDirectory() as folder, atomic_write(output) as temporary:
        plain = Path(folder) / "plain.onnx"
        onnx.save(model, plain)
        error = disagreement(opened.network, OnnxNetwork(plain))
        if not error <= TOLERANCE[precision]:
            allowed = f"{TOLERANCE[precision]:.0e} is allowed"
            raise RuntimeError(f"{output}: ONNX and torch differ by {error:.1e} of the depth, {allowed}")
        whole = model if camera is None else with_camera(model, camera)
        if camera is not None:
            resized = require_agreement(output, OnnxNetwork(plain), whole)
            note = f"  frames of {camera[0]}x{camera[1]}: resized as `predict` does, to within {resized:.1%} of white\n"
        onnx.save(whole, temporary)
    height, width = size
    print(f"{about['checkpoint']} -> {output}: {height}x{width}, {output.stat().st_size / 1e6:.2f} MB, ", end="")
    print(f"within {error:.0e} of torch's depth\n{note}", end="")
    if precision == "fp16":
        print("  fp16: smaller, for GPUs, NPUs and CoreML; a CPU computes it in fp32 and is no faster")
    alone = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    if alone:
        print(f"  {alone} of its BatchNorms follow no convolution that they could be folded into, and stay")
    for target, partitions in mobile_partitions(model).items():
        print(f"  {target}: {partitions} partition{'s'[: partitions != 1]}" + (", one is needed" * (partitions != 1)))


def _metadata(
    opened: Checkpoint, size: tuple[int, int], precision: Precision, model: onnx.ModelProto
) -> dict[str, str]:
    """What lets anyone run the file without this code."""
    metres = opened.network.predicts == "depth"
    inside = "fp16 inside, float32 at input and output" if precision == "fp16" else precision
    given = tuple(side.dim_value for side in model.graph.output[0].type.tensor_type.shape.dim)
    units = "metres" if metres else "1/m up to scale and shift"
    focal = opened.canonical_focal_px
    return {
        "size": f"{size[0]}x{size[1]} (height x width)",
        "input": f"image: RGB in [0, 1], float32 (1, 3, {size[0]}, {size[1]}); the network normalises it itself",
        "output": f"depth: float32 {given}, {units}; resize it bilinearly{' as 1 / depth' if metres else ''}",
        "predicts": str(opened.network.predicts),
        "units": units,
        "precision": inside,
        "checkpoint_sha256": opened.sha256,
        "pocketdepth": version("pocketdepth"),
        **({} if focal is None else {"canonical_focal_px": str(focal)}),
        **{each.key: each.value for each in model.metadata_props if each.key == "float_layers"},
    }


def require_range(network: nn.Module, size: tuple[int, int]) -> None:
    """Raise RuntimeError where a layer of a random image (fixed seed) goes beyond what half precision holds: a CPU,
    which computes fp16 files in fp32, would not show it."""
    largest = [0.0]
    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(lambda _, __, out: largest.append(float(out.abs().max()))) for leaf in leaves]
    with torch.no_grad():
        network(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)))
    for hook in hooks:
        hook.remove()
    if not max(largest) < LARGEST_FP16:
        raise RuntimeError(
            f"a layer reaches {max(largest):.0f}, and fp16 ends at {LARGEST_FP16:.0f}: export it in fp32"
        )


def disagreement(network: nn.Module, exported: OnnxNetwork) -> float:
    """:func:`deploy.measure.agreement.largest_difference` of a network in torch and in ONNX Runtime, on noise."""

    def in_torch(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return cast(NDArray[np.float32], network(torch.from_numpy(image)).numpy())

    return largest_difference(in_torch, exported, random_images(exported.size), exported.predicts)
