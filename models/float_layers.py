"""Which layers of a network stay in float when it is quantized to int8. This is the one place that decides it.

Quantization-aware training and pruning ask the network. An exported ONNX file lists the names in its metadata, under
``float_layers``, and the quantizer reads them there.
"""

from __future__ import annotations

from torch import nn

STEM_PRODUCTS = 27  # per output: a 3x3 kernel over three channels


def head_layers(network: nn.Module) -> list[str]:
    """The names of the convolutions and linear layers in a network's parts called ``heads``."""
    layers = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    return [name for name, part in network.named_modules() if isinstance(part, layers) and "heads" in name.split(".")]


def float_layers(network: nn.Module) -> list[str]:
    """The names of the layers that stay in float in int8: the heads, and a small stem.

    An int8 head distinguishes 256 depths, and the last step is metres wide. The stem is the first convolution. It stays
    in float if it reads the image with at most 27 products per output (3x3 over three channels): so few are no faster
    in int8, and their noise passes through every later layer. A 7x7 stem is faster in int8, and is quantized.

    Args:
        network: fused, if it has blocks that are re-parameterised at export: their branches are no layers of the file.

    Returns:
        The names as ``network.get_submodule`` takes them; none if the network has no part called ``heads``.
    """
    heads = head_layers(network)
    first = next(((name, part) for name, part in network.named_modules() if isinstance(part, nn.Conv2d)), None)
    if not heads or first is None:
        return heads
    name, stem = first
    small = stem.weight.shape[1] == 3 and stem.weight[0].numel() <= STEM_PRODUCTS
    return [name, *heads] if small and name not in heads else heads
