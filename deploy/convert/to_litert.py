"""Conversion of checkpoints to LiteRT (.tflite), in fp32 or static int8."""

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
from deploy.inference.images import spread
from deploy.inference.litert_network import LiteRtNetwork, add_metadata
from deploy.inference.model_info import ModelInfo
from deploy.inference.optional_packages import quiet, require
from deploy.measure.agreement import Image, largest_difference, random_images, read_inputs
from deploy.measure.sqnr import Fp32Reference
from lightning_app.files import atomic_write, refuse_existing
from lightning_app.image_files import find_images
from models.encoder import Encoder

TOLERANCE = 1e-3  # relative; trained networks differ by less than 1e-4
LEAST_DB = 15.0  # minimum SQNR of int8; an output below it is unusable
CHECKED = 8  # number of images that SQNR is measured on
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
    """Convert a checkpoint to LiteRT: ``image``, RGB in [0, 1], (1, H, W, 3) -> ``depth``, (1, h, w, 1).

    In int8, weights are quantized per channel. The input, the normalisation, the head and the output stay in float:
    normalising an int8 image in int8 costs another 8 to 18 dB.

    Args:
        checkpoint: PocketDepth checkpoint.
        output: .tflite file; next to the checkpoint if None.
        size: input (height, width); the training size if None.
        int8: quantize to static int8.
        images: folder of calibration images for int8. They should resemble the images that the network will see.
        number: maximum number of calibration images, taken at equal distances from the sorted folder.
        overwrite: replace an existing ``output``.

    Returns:
        Path of the file.

    Raises:
        ImportError: litert-torch is not installed.
        FileNotFoundError: no such checkpoint or folder, or no image in the folder.
        FileExistsError: ``output`` exists.
        ValueError: not a PocketDepth checkpoint, a size that is not a multiple of the network's stride, a wrong suffix
            of ``output``, or only one of ``int8`` and ``images``.
        RuntimeError: LiteRT cannot convert the network, or its output does not agree with ONNX Runtime. Nothing is
            written.
    """
    output = output or checkpoint.with_name(f"{checkpoint.stem}{'-int8' if int8 else ''}.tflite")
    if output.suffix != ".tflite":
        raise ValueError(f"{output}: the name of a LiteRT file must end in .tflite")
    if int8 != (images is not None):
        raise ValueError("--int8 requires --images to calibrate on" if int8 else "--images requires --int8")
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
    """Convert a network with LiteRT.

    Returns:
        The bytes of the fp32 file.

    Raises:
        RuntimeError: LiteRT cannot convert the network.
    """
    example = {"image": torch.zeros(1, *source.size, 3)}
    network = _ChannelsLast(_uncropped(source.network), source.size[1]).eval()
    try:
        with quiet("convert"):
            model = require("litert_torch", "litert").convert(network, sample_kwargs=example)
            return cast(bytes, model.model_content())
    except Exception as error:  # torch.export, the lowering and the compiler raise exceptions of many kinds
        raise RuntimeError(f"LiteRT cannot convert this network ({' '.join(str(error).split())[:300]})") from error


def quantize(content: bytes, inputs: Iterable[Image], number: int) -> bytes:
    """Quantize a LiteRT file to static int8.

    Activation ranges are the minimum and maximum, as in int8 ONNX files. The default of the quantizer, a moving
    average, clips values that occur in few images. On 64 varied images it cost 15 dB.

    Args:
        content: bytes of an fp32 file.
        inputs: calibration images, RGB in [0, 1], (1, 3, H, W) each.
        number: number of calibration images, for the progress bar.

    Returns:
        The bytes of the int8 file.

    Raises:
        RuntimeError: the network has no convolution.
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
    """Output patterns of the operations that stay in float.

    These are all operations before the first convolution, except padding, and the last convolution and all operations
    after it. The last convolution is the head, see :func:`models.float_layers.float_layers`. It is found by its
    position because a TFLite graph does not keep the names of weights. The stem is quantized: int8 loses most in the
    normalisation before it. Padding in int8 is lossless and moves a quarter of the bytes.

    Args:
        content: bytes of an fp32 file.

    Returns:
        Regular expressions, each for the name of an operation's first output.

    Raises:
        RuntimeError: the network has no convolution.
    """
    utils = require("ai_edge_litert.tools.flatbuffer_utils", "litert")
    model = utils.convert_bytearray_to_object(content)
    graph = model.subgraphs[0]
    kinds = [utils.opcode_to_name(model, operator.opcodeIndex) for operator in graph.operators]
    convolutions = [index for index, kind in enumerate(kinds) if kind in _CONVOLUTIONS]
    if not convolutions:
        raise RuntimeError("the network has no convolution to quantize")
    before = [index for index in range(convolutions[0]) if kinds[index] != "PAD"]
    kept = [graph.operators[index] for index in (*before, *range(convolutions[-1], len(kinds)))]
    return [f"^{re.escape(graph.tensors[operator.outputs[0]].name.decode())};$" for operator in kept]


def _require_agreement(source: Source, network: LiteRtNetwork, paths: list[Path]) -> str:
    """Describe the difference of a file to its ONNX reference. Raises RuntimeError if it is too large."""
    if not paths:
        images = random_images(source.size)
        error = largest_difference(source.reference, network, images, source.reference.predicts)
        if not error <= TOLERANCE:
            raise RuntimeError(
                f"{source.info.checkpoint}: relative difference of LiteRT to ONNX is {error:.1e}, above the tolerance "
                f"{TOLERANCE:.0e}"
            )
        return f"relative difference to ONNX at most {error:.0e}"
    reference = Fp32Reference(source.reference, read_inputs(spread(paths, CHECKED), source.size))
    sqnr = reference.compare(network).sqnr_db
    if not sqnr >= LEAST_DB:
        raise RuntimeError(
            f"{source.info.checkpoint}: SQNR of int8 against the fp32 ONNX reference is {sqnr:.1f} dB, below the "
            f"minimum {LEAST_DB:.0f} dB"
        )
    return f"SQNR {sqnr:.1f} dB against the fp32 ONNX reference"


class _ChannelsLast(nn.Module):
    """Wraps a network with channels-last input and output, the layout of phones: (1, H, W, 3) -> (1, h, w, 1).

    It normalises whole rows. Normalising along three channels does not use LiteRT's vector units and took a quarter of
    the time of a small network.
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
            image = ((rows - self.mean) / self.std).view_as(image)  # (1, H, W, 3)
        return {"depth": self.network(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)}


def _uncropped(network: nn.Module) -> nn.Module:
    """Copy a network, with each transposed convolution unpadded and cropped, as LiteRT's converter requires."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ConvTranspose2d) and tuple(child.output_padding) <= tuple(child.padding):
                setattr(parent, name, _Cropped(child))
    return network


class _Cropped(nn.Module):
    """An unpadded transposed convolution and a crop, equivalent to a padded transposed convolution."""

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
