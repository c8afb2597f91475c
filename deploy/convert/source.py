"""The input of a conversion: a network prepared for conversion and its ONNX reference."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import onnx
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deploy.export.to_onnx import to_onnx
from deploy.inference.model_info import ModelInfo
from deploy.inference.onnx_network import OnnxNetwork
from lightning_app.checkpoints import Checkpoint
from models.encoder import fuse


class Source(NamedTuple):
    """A network prepared for conversion and its ONNX reference.

    Attributes:
        network: network in evaluation mode, with its BatchNorms fused.
        size: input (height, width).
        info: metadata of the converted file, except its input and precision.
        reference: the same network exported to ONNX, in ONNX Runtime.
    """

    network: nn.Module
    size: tuple[int, int]
    info: ModelInfo
    reference: OnnxNetwork


def open_source(checkpoint: Path, size: tuple[int, int] | None) -> Source:
    """Open a checkpoint for conversion.

    Args:
        checkpoint: PocketDepth checkpoint.
        size: input (height, width); the training size if None.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: not a PocketDepth checkpoint, or a size that is not a multiple of the network's stride.
    """
    opened = Checkpoint.open(checkpoint)
    size = size or opened.size
    opened.network.check_size(size)
    info = replace(ModelInfo.of_checkpoint(opened, size), checkpoint=checkpoint.name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reference.onnx"
        model = to_onnx(opened.network, size)
        onnx.helper.set_model_props(model, info.to_metadata())
        onnx.save(model, file)
        return Source(_without_batchnorm(fuse(opened.network).eval()), size, info, OnnxNetwork(file))


def _without_batchnorm(network: nn.Module) -> nn.Module:
    """Fuse BatchNorms into preceding transposed convolutions, in place. Converters fuse ordinary convolutions only."""
    for parent in network.modules():
        names = list(parent._modules) if isinstance(parent, nn.Sequential) else []
        for name, following in pairwise(names):
            convolution, normalisation = parent._modules[name], parent._modules[following]
            if isinstance(convolution, nn.ConvTranspose2d) and isinstance(normalisation, nn.BatchNorm2d):
                parent._modules[name] = fuse_conv_bn_eval(convolution, normalisation, transpose=True)
                parent._modules[following] = nn.Identity()
    return network
