"""Selection of the layers that stay in float when a network is quantized to int8.

Quantization-aware training, pruning and export use it. An exported ONNX file lists the layers in its metadata under
``float_layers``, where the quantizer reads them.
"""

from __future__ import annotations

from torch import nn

STEM_PRODUCTS = 27  # multiplications per output of a 3x3 kernel over three channels


def head_layers(network: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers inside modules named ``heads``."""
    layers = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    return [name for name, part in network.named_modules() if isinstance(part, layers) and "heads" in name.split(".")]


def float_layers(network: nn.Module) -> list[str]:
    """Names of the layers that stay in float in an int8 network: the heads, and a small stem.

    An int8 head has only 256 output values, and the steps between large depths are metres wide. The stem, the first
    convolution, stays in float if it has at most 27 multiplications per output (3x3 over three channels). Such a stem
    is not faster in int8, and its quantization noise passes through all later layers. A 7x7 stem is faster in int8 and
    is quantized.

    Args:
        network: network with fused re-parameterisable blocks, see :func:`models.encoder.fuse`. Unfused branches are not
            layers of the exported file.

    Returns:
        Names for ``network.get_submodule``; empty if the network has no module named ``heads``.
    """
    heads = head_layers(network)
    first = next(((name, part) for name, part in network.named_modules() if isinstance(part, nn.Conv2d)), None)
    if not heads or first is None:
        return heads
    name, stem = first
    small = stem.weight.shape[1] == 3 and stem.weight[0].numel() <= STEM_PRODUCTS
    return [name, *heads] if small and name not in heads else heads
