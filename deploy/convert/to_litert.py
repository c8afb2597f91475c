"""Checkpoint -> LiteRT (.tflite), in fp32 or static int8."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from deploy.convert.source import Source, open_source
from deploy.inference.images import find_images, spread
from deploy.inference.litert_network import LiteRtNetwork, add_metadata
from deploy.inference.model_info import ModelInfo
from deploy.inference.optional_packages import quiet, require
from deploy.measure.agreement import Image, largest_difference, random_images, read_inputs
from deploy.measure.sqnr import Fp32Reference
from lightning_app.files import atomic_write, refuse_existing
from models.encoder import Encoder

TOLERANCE = 1e-3  # relative; trained networks stay below 1e-4
LEAST_DB = 15.0  # what is below is no depth any more
CHECKED = 8  # images
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


def to_litert(
    checkpoint: Path,
    output: Path | None = None,
    size: tuple[int, int] | None = None,
    int8: bool = False,
    images: Path | None = None,
    number: int = 64,
    overwrite: bool = False,
) -> Path:
    """Write a checkpoint as a LiteRT file: ``image`` RGB in [0, 1], (1, H, W, 3) -> ``depth``, (1, h, w, 1).

    In int8, weights are per channel, and the normalisation and the head stay in float, as input and output do: an int8
    image that is normalised in int8 once more costs 8 to 18 dB.

    Args:
        checkpoint: of PocketDepth.
        output: the file; beside the checkpoint if left out.
        size: (height, width); what the checkpoint was trained at if left out.
        int8: quantize it.
        images: folder of images that int8 is calibrated on, like those that the network will see.
        number: how many of them are used at most, spread evenly over the folder.
        overwrite: replace an ``output`` that exists.

    Returns:
        The file's path.

    Raises:
        ImportError: litert-torch is not installed.
        FileNotFoundError: no such checkpoint or folder, or no image in it.
        FileExistsError: ``output`` exists.
        ValueError: not a checkpoint of PocketDepth, a size that the network's stride does not divide, or int8 without
            images.
        RuntimeError: LiteRT cannot convert the network, or does not agree with ONNX Runtime; nothing is written.
    """
    output = output or checkpoint.with_name(f"{checkpoint.stem}{'-int8' if int8 else ''}.tflite")
    if output.suffix != ".tflite":
        raise ValueError(f"{output}: a LiteRT file's name ends in .tflite")
    if int8 != (images is not None):
        raise ValueError("--int8 needs --images to calibrate on" if int8 else "--images are for --int8")
    refuse_existing(output, overwrite=overwrite)
    require("litert_torch", "litert")
    paths = spread(find_images(images), number) if images else []
    source = open_source(checkpoint, size)
    content = convert(source)
    precision = "fp32"
    if int8:
        content = quantize(content, read_inputs(paths, source.size), len(paths))
        precision = f"int8, normalisation and head in float, {len(paths)} calibration images"
    taken = "RGB in [0, 1], (1, height, width, 3); the network normalises it itself"
    own = ModelInfo(input=taken, precision=precision)
    content = add_metadata(content, source.info.to_metadata() | own.to_metadata())
    with atomic_write(output) as temporary:
        temporary.write_bytes(content)
        found = _require_agreement(source, LiteRtNetwork(temporary), paths)
    print(f"{checkpoint} -> {output}: {source.size[0]}x{source.size[1]}, {len(content) / 1e6:.2f} MB, {found}")
    return output


def convert(source: Source) -> bytes:
    """The content of the fp32 file.

    Raises:
        RuntimeError: LiteRT cannot convert the network.
    """
    example = {"image": torch.zeros(1, *source.size, 3)}
    network = _ChannelsLast(_uncropped(source.network), source.size[1]).eval()
    try:
        with quiet("convert"):
            model = require("litert_torch", "litert").convert(network, sample_kwargs=example)
            return cast(bytes, model.model_content())
    except Exception as error:  # of torch.export, of the lowering, or of the compiler
        raise RuntimeError(f"LiteRT cannot convert this network ({' '.join(str(error).split())[:300]})") from error


def quantize(content: bytes, inputs: Iterable[Image], number: int) -> bytes:
    """The content of the static int8 file of an fp32 one, calibrated on images (1, 3, height, width).

    Ranges are minimum and maximum, as of the int8 ONNX file. The quantizer's own way, a moving average, cuts off what
    few images show: with 64 varied ones it cost 15 dB.
    """
    quantizer, recipe, calibrator, update, recipes, kinds = (
        require(f"ai_edge_quantizer.{name}", "litert")
        for name in ("quantizer", "recipe", "calibrator", "utils.qsv_utils", "recipe_manager", "qtyping")
    )
    manager = recipes.RecipeManager()
    manager.load_quantization_recipe(recipe.static_wi8_ai8())
    names, keep = kinds.TFLOperationName, quantizer.AlgorithmName.NO_QUANTIZE
    for scope, kind in [(".*", names.INPUT), (".*", names.OUTPUT), *((each, "*") for each in float_scopes(content))]:
        manager.add_quantization_config(scope, kind, algorithm_key=keep)
    feeds = [
        {"image": np.ascontiguousarray(image.transpose(0, 2, 3, 1))} for image in track(inputs, "read", total=number)
    ]
    with quiet("calibrate and quantize"):
        ranges = calibrator.Calibrator(content, num_threads=1, qsv_update_func=update.min_max_update)
        ranges.calibrate({"serving_default": feeds}, manager)
        tool = quantizer.Quantizer(content, manager.get_quantization_recipe())
        return bytes(tool.quantize(ranges.get_model_qsvs(), enable_progress_report=False).quantized_model)


def float_scopes(content: bytes) -> list[str]:
    """Patterns of the outputs of all operations before the first convolution but padding, and from the last on.

    The last convolution is the head of :func:`models.float_layers.float_layers`, found by its place: a TFLite graph
    holds no names of weights. The stem is quantized: it is the normalisation before it that int8 loses most in.
    Padding is done in int8, on a quarter of the bytes, without loss.
    """
    utils = require("ai_edge_litert.tools.flatbuffer_utils", "litert")
    model = utils.convert_bytearray_to_object(content)
    graph = model.subgraphs[0]
    kinds = [utils.opcode_to_name(model, operator.opcodeIndex) for operator in graph.operators]
    convolutions = [index for index, kind in enumerate(kinds) if kind in _CONVOLUTIONS]
    if not convolutions:
        raise RuntimeError("the network has no convolution, so nothing to quantize")
    before = [index for index in range(convolutions[0]) if kinds[index] != "PAD"]
    kept = [graph.operators[index] for index in (*before, *range(convolutions[-1], len(kinds)))]
    return [f"^{re.escape(graph.tensors[operator.outputs[0]].name.decode())};$" for operator in kept]


def _require_agreement(source: Source, network: LiteRtNetwork, paths: list[Path]) -> str:
    """What is said of how far the file is from its ONNX reference; RuntimeError where it is too far."""
    if not paths:
        images = random_images(source.size)
        error = largest_difference(source.reference, network, images, source.reference.predicts)
        if not error <= TOLERANCE:
            raise RuntimeError(f"LiteRT and ONNX differ by {error:.1e} of the depth, {TOLERANCE:.0e} is allowed")
        return f"within {error:.0e} of the depth of ONNX"
    reference = Fp32Reference(source.reference, read_inputs(spread(paths, CHECKED), source.size))
    sqnr = reference.compare(network).sqnr_db
    if not sqnr >= LEAST_DB:
        raise RuntimeError(f"int8 leaves an SQNR of {sqnr:.1f} dB against fp32 in ONNX, {LEAST_DB:.0f} are needed")
    return f"SQNR {sqnr:.1f} dB against fp32 in ONNX"


class _ChannelsLast(nn.Module):
    """The network with images and depth as phones hold them, (1, H, W, channels).

    It normalises whole rows: along three channels alone, LiteRT's vector units stand idle, which took a quarter of the
    time of a small network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, width: int) -> None:
        super().__init__()
        self.network = network
        encoder = getattr(network, "encoder", None)
        self.normalises = isinstance(encoder, Encoder)
        if isinstance(encoder, Encoder):
            self.register_buffer("mean", encoder.mean.flatten().repeat(width))
            self.register_buffer("std", encoder.std.flatten().repeat(width))
            network.encoder = encoder.backbone

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        if self.normalises:
            rows = image.flatten(2)  # (1, H, 3 W)
            image = ((rows - self.mean) / self.std).view_as(image)
        return {"depth": self.network(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)}


def _uncropped(network: nn.Module) -> nn.Module:
    """A copy whose transposed convolutions are unpadded and cropped afterwards: LiteRT's converter takes no others."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ConvTranspose2d) and tuple(child.output_padding) <= tuple(child.padding):
                setattr(parent, name, _Cropped(child))
    return network


class _Cropped(nn.Module):
    """A transposed convolution as an unpadded one, of whose output the padding is cut off."""

    def __init__(self, convolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.padding = [int(side) for side in convolution.padding]
        self.more = [int(side) for side in convolution.output_padding]
        self.convolution = copy.deepcopy(convolution)
        self.convolution.padding = self.convolution.output_padding = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(x)
        (top, left), (below, right) = self.padding, self.more
        return x[:, :, top : x.shape[2] - top + below, left : x.shape[3] - left + right]
