"""Conversion of checkpoints to ExecuTorch (.pte) in fp32, for XNNPACK on CPUs."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from deploy.convert.source import Source, open_source
from deploy.inference.executorch_network import METADATA, ExecuTorchNetwork
from deploy.inference.model_info import ModelInfo
from deploy.inference.optional_packages import quiet, require
from deploy.measure.agreement import largest_difference, random_images
from lightning_app.files import atomic_write, refuse_existing

TOLERANCE = 1e-3  # relative; trained networks differ by less than 1e-4
_NOT_COMPUTED = ("executorch_call_delegate", "getitem", "alloc")  # nodes that are not operators


def to_executorch(
    checkpoint: Path, output: Path | None = None, size: tuple[int, int] | None = None, overwrite: bool = False
) -> Path:
    """Convert a checkpoint to ExecuTorch: ``image``, RGB in [0, 1], (1, 3, H, W) -> ``depth``, (1, 1, h, w).

    Args:
        checkpoint: PocketDepth checkpoint.
        output: .pte file; next to the checkpoint if None.
        size: input (height, width); the training size if None.
        overwrite: replace an existing ``output``.

    Returns:
        Path of the file.

    Raises:
        ImportError: ExecuTorch is not installed.
        FileNotFoundError: no such checkpoint.
        FileExistsError: ``output`` exists.
        ValueError: not a PocketDepth checkpoint, a size that is not a multiple of the network's stride, or a wrong
            suffix of ``output``.
        RuntimeError: ExecuTorch cannot convert the network, or its output does not agree with ONNX Runtime. Nothing is
            written.
    """
    output = output or checkpoint.with_suffix(".pte")
    if output.suffix != ".pte":
        raise ValueError(f"{output}: the name of an ExecuTorch file must end in .pte")
    refuse_existing(output, overwrite=overwrite)
    require("executorch.exir", "executorch")
    source = open_source(checkpoint, size)
    content, outside = convert(source)
    with atomic_write(output) as temporary:
        temporary.write_bytes(content)
        images, reference = random_images(source.size), source.reference
        error = largest_difference(reference, ExecuTorchNetwork(temporary), images, reference.predicts)
        if not error <= TOLERANCE:
            raise RuntimeError(
                f"{checkpoint}: relative difference of ExecuTorch to ONNX is {error:.1e}, above the tolerance "
                f"{TOLERANCE:.0e}"
            )
    print(f"{checkpoint} -> {output}: {source.size[0]}x{source.size[1]}, {len(content) / 1e6:.2f} MB, ", end="")
    print(f"relative difference to ONNX at most {error:.0e}")
    if outside:
        names = ", ".join(sorted(set(outside)))
        print(f"  {len(outside)} operators run in slow portable code, because XNNPACK does not support them: {names}")
    return output


def convert(source: Source) -> tuple[bytes, list[str]]:
    """Convert a network with ExecuTorch.

    Returns:
        The bytes of the file, and the names of the operators that XNNPACK does not support, one for each use.

    Raises:
        RuntimeError: ExecuTorch cannot convert the network.
    """
    exir = require("executorch.exir", "executorch")
    partitioner = require("executorch.backends.xnnpack.partition.xnnpack_partitioner", "executorch")
    own = ModelInfo(input="RGB in [0, 1], (1, 3, height, width); the network normalises it itself", precision="fp32")
    try:
        with quiet("convert"):
            program = torch.export.export(source.network, (torch.zeros(1, 3, *source.size),))
            lowered = exir.to_edge_transform_and_lower(
                program,
                partitioner=[partitioner.XnnpackPartitioner()],
                constant_methods={METADATA: json.dumps(source.info.to_metadata() | own.to_metadata())},
            )
            nodes = [node for node in lowered.exported_program().graph.nodes if node.op == "call_function"]
            content = bytes(lowered.to_executorch().buffer)
    except Exception as error:  # torch.export and the lowering raise exceptions of many kinds
        raise RuntimeError(f"ExecuTorch cannot convert this network ({' '.join(str(error).split())[:300]})") from error
    names = [getattr(node.target, "__name__", str(node.target)) for node in nodes]
    return content, [name for name in names if not name.startswith(_NOT_COMPUTED)]
