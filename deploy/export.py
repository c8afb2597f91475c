"""Checkpoint -> ONNX: fused, of static size, and in agreement with torch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.tools.mobile_helpers import usability_checker
from torch import nn

from deploy.checkpoint import open_checkpoint
from deploy.runtime import OnnxNetwork
from lightning_app.files import refuse_existing, written_whole
from models.encoder import fuse

TOLERANCE = 1e-3  # relative; trained networks stay below 1e-4
_COREML = {"CoreML NeuralNetwork": "neuralnetwork", "CoreML MLProgram": "mlprogram"}


def export(
    checkpoint: Path, output: Path | None = None, size: tuple[int, int] | None = None, overwrite: bool = False
) -> Path:
    """Write a checkpoint as an ONNX file: ``image`` RGB in [0, 1], (1, 3, H, W) -> ``depth`` metres, (1, 1, h, w).

    Args:
        checkpoint: of PocketDepth.
        output: the ONNX file; beside the checkpoint if left out.
        size: (height, width); what the checkpoint was trained at if left out.
        overwrite: replace an ``output`` that exists.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: no such checkpoint.
        FileExistsError: ``output`` exists.
        ValueError: not a checkpoint of PocketDepth, or a size that the network's stride does not divide.
        RuntimeError: the file does not agree with torch; nothing is written.
    """
    output = output or checkpoint.with_suffix(".onnx")
    refuse_existing(output, overwrite=overwrite)
    network, trained_size, sha256, canonical_focal_px = open_checkpoint(checkpoint)
    size = size or trained_size
    network.check_size(size)  # type: ignore[operator]
    model = to_onnx(network, size)
    onnx.helper.set_model_props(
        model,
        {
            "size": f"{size[0]}x{size[1]} (height x width)",
            "input": "RGB in [0, 1], (1, 3, height, width); the network normalises it itself",
            "predicts": str(network.predicts),
            "units": "metres" if network.predicts == "depth" else "1/m up to scale and shift",
            "checkpoint": checkpoint.name,
            "checkpoint_sha256": sha256,
            "pocketdepth": version("pocketdepth"),
            **({} if canonical_focal_px is None else {"canonical_focal_px": str(canonical_focal_px)}),
        },
    )
    with written_whole(output) as temporary:
        onnx.save(model, temporary)
        error = disagreement(network, OnnxNetwork(temporary))
        if not error <= TOLERANCE:
            raise RuntimeError(
                f"{output}: ONNX and torch differ by {error:.1e} of the depth, {TOLERANCE:.0e} is allowed"
            )
    print(f"{checkpoint} -> {output}: {size[0]}x{size[1]}, {output.stat().st_size / 1e6:.2f} MB, ", end="")
    print(f"within {error:.0e} of torch's depth")
    alone = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    if alone:
        print(f"  {alone} of its BatchNorms follow no convolution that they could be folded into, and stay")
    for target, partitions in mobile_partitions(model).items():
        print(f"  {target}: {partitions} partition{'s'[: partitions != 1]}" + (", one is needed" * (partitions != 1)))
    return output


def to_onnx(network: nn.Module, size: tuple[int, int]) -> onnx.ModelProto:
    """A network in evaluation mode as a fused ONNX model of a static size (height, width)."""
    example = torch.zeros(1, 3, *size)
    fused = fuse(network).eval()
    with _quiet():
        program = torch.onnx.export(
            fused, (example,), dynamo=True, external_data=False, input_names=["image"], output_names=["depth"]
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    _name_empty_roi(model)
    _shuffle_as_nnapi(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model)
    return model


def disagreement(network: nn.Module, exported: OnnxNetwork) -> float:
    """The largest difference between torch and ONNX Runtime on random images (fixed seed), relative to depth, or to the
    largest inverse depth.
    """
    generator = np.random.default_rng(0)
    worst = 0.0
    for _ in range(3):
        image = generator.random((1, 3, *exported.size), dtype=np.float32)
        with torch.no_grad():
            reference = network(torch.from_numpy(image)).numpy()
        unit = reference if exported.predicts == "depth" else np.abs(reference).max()
        worst = max(worst, float(np.abs((exported(image) - reference) / unit).max()))
    return worst


def mobile_partitions(model: onnx.ModelProto) -> dict[str, int]:
    """Into how many pieces a phone's accelerator would cut the model, by ONNX Runtime's usability checker; 1 is good,
    more means copies between accelerator and CPU."""
    parts = {"NNAPI": usability_checker.check_nnapi_partitions(model, True)}
    for name, kind in _COREML.items():
        parts[name] = usability_checker.check_coreml_partitions(model, True, f"coreml_supported_{kind}_ops.md")
    return {name: part.num_partitions + (part.num_supported_nodes < part.num_nodes) for name, part in parts.items()}


def _name_empty_roi(model: onnx.ModelProto) -> None:
    """Give Resize an empty tensor for the input that it does not use: the usability checker refuses a nameless one."""
    nodes = [node for node in model.graph.node if node.op_type == "Resize" and node.input[1] == ""]
    for node in nodes:
        node.input[1] = "empty_roi"
    if nodes:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(0, np.float32), "empty_roi"))


def _shuffle_as_nnapi(model: onnx.ModelProto) -> None:
    """Android's NNAPI knows the other order of sub-pixels alone; where they make one channel, both are the same."""
    channels = {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in (*model.graph.value_info, *model.graph.output)
        if len(value.type.tensor_type.shape.dim) > 1
    }
    for node in model.graph.node:
        if node.op_type == "DepthToSpace" and channels[node.output[0]] == 1:
            next(each for each in node.attribute if each.name == "mode").s = b"DCR"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports its own progress and its own deprecations; neither is the user's business."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
