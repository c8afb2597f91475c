"""Checkpoint -> ExecuTorch (.pte) in fp32, for XNNPACK on a CPU."""

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

TOLERANCE = 1e-3  # relative; trained networks stay below 1e-4
_NOT_COMPUTED = ("executorch_call_delegate", "getitem", "alloc")


def to_executorch(
    checkpoint: Path, output: Path | None = None, size: tuple[int, int] | None = None, overwrite: bool = False
) -> Path:
    """Write a checkpoint as an ExecuTorch file: ``image`` RGB in [0, 1], (1, 3, H, W) -> ``depth``, (1, 1, h, w).

    Args:
        checkpoint: of PocketDepth.
        output: the file; beside the checkpoint if left out.
        size: (height, width); what the checkpoint was trained at if left out.
        overwrite: replace an ``output`` that exists.

    Returns:
        The file's path.

    Raises:
        ImportError: ExecuTorch is not installed.
        FileNotFoundError: no such checkpoint.
        FileExistsError: ``output`` exists.
        ValueError: not a checkpoint of PocketDepth, or a size that the network's stride does not divide.
        RuntimeError: ExecuTorch cannot convert the network, or does not agree with ONNX Runtime; nothing is written.
    """
    output = output or checkpoint.with_suffix(".pte")
    if output.suffix != ".pte":
        raise ValueError(f"{output}: an ExecuTorch file's name ends in .pte")
    refuse_existing(output, overwrite=overwrite)
    require("executorch.exir", "executorch")
    source = open_source(checkpoint, size)
    content, outside = convert(source)
    with atomic_write(output) as temporary:
        temporary.write_bytes(content)
        images, reference = random_images(source.size), source.reference
        error = largest_difference(reference, ExecuTorchNetwork(temporary), images, reference.predicts)
        if not error <= TOLERANCE:
            raise RuntimeError(f"ExecuTorch and ONNX differ by {error:.1e} of the depth, {TOLERANCE:.0e} is allowed")
    print(f"{checkpoint} -> {output}: {source.size[0]}x{source.size[1]}, {len(content) / 1e6:.2f} MB, ", end="")
    print(f"within {error:.0e} of the depth of ONNX")
    if outside:
        print(f"  XNNPACK does not take {', '.join(sorted(set(outside)))}: {len(outside)} in slow portable code")
    return output


def convert(source: Source) -> tuple[bytes, list[str]]:
    """The content of the file, and the operators in it that XNNPACK does not run.

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
    except Exception as error:  # of torch.export, or of the lowering
        raise RuntimeError(f"ExecuTorch cannot convert this network ({' '.join(str(error).split())[:300]})") from error
    names = [getattr(node.target, "__name__", str(node.target)) for node in nodes]
    return content, [name for name in names if not name.startswith(_NOT_COMPUTED)]
