"""Export of a checkpoint as fused ONNX files with a static input size, checked against torch."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

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
from deploy.inference.model_info import ModelInfo
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.agreement import largest_difference, random_images
from deploy.measure.mobile_partitions import mobile_partitions
from lightning_app.checkpoints import Checkpoint, require_finite_weights
from lightning_app.files import atomic_write, refuse_existing
from models.contract import DepthNetwork, require_depth_network
from models.encoder import fuse

Precision = Literal["fp32", "fp16"]

TOLERANCE = {"fp32": 1e-3, "fp16": 2e-2}  # relative; trained networks stay below 1e-4 and 5e-3


class Source(NamedTuple):
    """A network to export.

    Attributes:
        name: name of the checkpoint, or of the network's class.
        network: the network, in evaluation mode.
        info: metadata of the files, except what depends on their size.
        checkpoint: the checkpoint; None for a network in memory.
    """

    name: str
    network: DepthNetwork
    info: ModelInfo
    checkpoint: Checkpoint | None


def export(
    model: Path | str | nn.Module,
    output: Path | str | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    precision: Precision = "fp32",
    camera: tuple[int, int] | None = None,
    ort: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Export a network as one or more ONNX files. For a checkpoint, also write a model card (``NAME.md``).

    Each file maps ``image``, RGB in [0, 1], (1, 3, H, W), to ``depth`` in metres, (1, 1, h, w).

    Args:
        model: checkpoint of PocketDepth, or a depth network or ``DepthModule`` in memory, which needs ``output`` and
            ``sizes``.
        output: ONNX file. Default: the checkpoint's name with the suffix ``.onnx``, and with ``-fp16`` and ``-camera``
            if they apply.
        sizes: (height, width) of each file. Several sizes are written as ``NAME-192x640.onnx`` etc. Default: the size
            that the checkpoint was trained at.
        precision: ``fp32``, or ``fp16`` for GPUs, NPUs and CoreML at half the file size.
        camera: (height, width) of camera frames. The file then maps uint8 (H, W, 3) to depth (H, W).
        ort: also write ``NAME.ort`` for minimal builds of ONNX Runtime.
        overwrite: replace existing outputs.

    Returns:
        Paths of the ONNX files in the order of the sizes, followed by those of the .ort files.

    Raises:
        FileNotFoundError: the checkpoint is missing.
        FileExistsError: an output exists.
        ValueError: not a checkpoint of PocketDepth, not a depth network, weights that are not finite, a size that is
            not divisible by the network's stride, or incompatible options.
        RuntimeError: a file does not agree with torch. It is not written.
    """
    if precision not in TOLERANCE:
        raise ValueError(f"unknown precision {precision!r}; use one of {', '.join(TOLERANCE)}")
    if ort and precision == "fp16":
        raise ValueError(
            "an .ort file is optimised for CPUs, which compute fp16 in fp32: export it with --precision fp32"
        )
    source = _in_memory(model) if isinstance(model, nn.Module) else _in_checkpoint(Path(model))
    opened = source.checkpoint
    if opened is not None:
        ends = ("-fp16" if precision == "fp16" else "") + ("-camera" if camera else "")
        output, sizes = output or opened.path.with_name(f"{opened.path.stem}{ends}.onnx"), sizes or [opened.size]
    if output is None or not sizes:
        raise ValueError("a network in memory has no file name and no training size: give output and sizes")
    output, sizes = Path(output), list(dict.fromkeys(sizes))
    if output.suffix != ".onnx":
        raise ValueError(f"{output}: the name of an ONNX file must end in .onnx")
    files = [output if len(sizes) == 1 else output.with_stem(f"{output.stem}-{h}x{w}") for h, w in sizes]
    packed = [file.with_suffix(".ort") for file in files if ort]
    card = output.with_suffix(".md")
    refuse_existing(*files, *packed, *([card] if opened is not None else []), overwrite=overwrite)
    for size in sizes:
        source.network.check_size(size)
    for size, file in zip(sizes, files, strict=True):
        _write(source, size, precision, camera, file)
    for file, target in zip(files, packed, strict=False):
        with atomic_write(target) as temporary:
            write_ort(file, temporary)
        print(f"  {target}: {target.stat().st_size / 1e6:.2f} MB, for minimal builds of ONNX Runtime")
    if opened is not None:
        write_card(card, opened, files)
        print(f"{card}: model card; licence: {source.info.licence}")
    return files + packed


def _in_checkpoint(path: Path) -> Source:
    opened = Checkpoint.open(path)
    licence, focal = read_training(opened).conclusion, opened.canonical_focal_px
    info = ModelInfo(licence=licence, checkpoint=path.name, checkpoint_sha256=opened.sha256, canonical_focal_px=focal)
    return Source(path.name, opened.network, info, opened)


def _in_memory(model: nn.Module) -> Source:
    """A copy on the CPU of a depth network, or of that of a ``DepthModule``."""
    network: Any = model if hasattr(model, "multiscale") else getattr(model, "network", model)
    network = copy.deepcopy(require_depth_network(network)).cpu().eval().requires_grad_(False)
    name = type(network).__name__
    require_finite_weights(network, name)
    focal = getattr(model, "canonical_focal_px", None)
    return Source(name, network, ModelInfo(canonical_focal_px=focal), None)


def _write(
    source: Source, size: tuple[int, int], precision: Precision, camera: tuple[int, int] | None, output: Path
) -> None:
    """Write one file if it agrees with torch, and print a summary."""
    model = to_onnx(source.network, size)
    infos = (_info(source.network, size, precision, model), stem_statistics(fuse(source.network)), source.info)
    onnx.helper.set_model_props(model, {key: value for info in infos for key, value in info.to_metadata().items()})
    if precision == "fp16":
        require_range(source.network, size)
        model = to_fp16(model)
    note = ""
    with tempfile.TemporaryDirectory() as folder, atomic_write(output) as temporary:
        plain = Path(folder) / "plain.onnx"
        onnx.save(model, plain)
        error = disagreement(source.network, OnnxNetwork(plain))
        if not error <= TOLERANCE[precision]:
            allowed = f"{TOLERANCE[precision]:.0e} is allowed"
            raise RuntimeError(f"{output}: ONNX and torch differ by {error:.1e} of the depth, {allowed}")
        whole = model if camera is None else with_camera(model, camera)
        if camera is not None:
            resized = require_agreement(output, OnnxNetwork(plain), whole)
            note = f"  frames of {camera[0]}x{camera[1]}: resized as in `predict`, mean difference {resized:.1%}\n"
        onnx.save(whole, temporary)
    height, width = size
    print(f"{source.name} -> {output}: {height}x{width}, {output.stat().st_size / 1e6:.2f} MB, ", end="")
    print(f"largest difference from torch {error:.0e}\n{note}", end="")
    if precision == "fp16":
        print("  fp16: for GPUs, NPUs and CoreML; a CPU computes it in fp32 and is no faster")
    alone = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    if alone:
        print(f"  {alone} BatchNorm layers do not follow a convolution and cannot be folded")
    for target, partitions in mobile_partitions(model).items():
        print(f"  {target}: {partitions} partition{'s'[: partitions != 1]}" + (" (1 is ideal)" * (partitions != 1)))


def _info(network: DepthNetwork, size: tuple[int, int], precision: Precision, model: onnx.ModelProto) -> ModelInfo:
    """Metadata that describes the file to users without this code."""
    info = ModelInfo.of_network(network, size)
    given = tuple(side.dim_value for side in model.graph.output[0].type.tensor_type.shape.dim)
    made = ModelInfo.from_metadata({each.key: each.value for each in model.metadata_props}, "the exported model")
    how = "resize it bilinearly" + (" as 1 / depth" if info.predicts == "depth" else "")
    return replace(
        info,
        input=f"image: RGB in [0, 1], float32 (1, 3, {size[0]}, {size[1]}); the network normalises it itself",
        output=f"depth: float32 {given}, {info.units}; {how}",
        precision="fp16 inside, float32 at input and output" if precision == "fp16" else precision,
        float_layers=made.float_layers,
    )


def require_range(network: nn.Module, size: tuple[int, int]) -> None:
    """Raise RuntimeError if an activation on a random image (fixed seed) exceeds the range of fp16.

    A CPU computes fp16 files in fp32, so running the file on a CPU does not reveal an overflow.
    """
    largest = [0.0]
    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(lambda _, __, out: largest.append(float(out.abs().max()))) for leaf in leaves]
    with torch.no_grad():
        network(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)))
    for hook in hooks:
        hook.remove()
    if not np.max(largest) < LARGEST_FP16:  # also for NaN
        raise RuntimeError(
            f"a layer reaches {np.max(largest):.0f}, but fp16 ends at {LARGEST_FP16:.0f}: export it in fp32"
        )


def disagreement(network: nn.Module, exported: OnnxNetwork) -> float:
    """Return the largest relative difference of a network in torch and in ONNX Runtime on random images."""

    def in_torch(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return cast(NDArray[np.float32], network(torch.from_numpy(image)).numpy())

    return largest_difference(in_torch, exported, random_images(exported.size), exported.predicts)
