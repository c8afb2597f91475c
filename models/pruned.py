"""A network whose layers are narrower than its constructor makes them, as structured pruning leaves them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear | _BatchNorm


def with_pruned_channels(network: nn.Module, channels: dict[str, list[int]]) -> nn.Module:
    """A network with fewer channels; it stays what it is, under its own contract and with the same names of parts.

    A checkpoint of a pruned network names this function as its ``class_path``, so that it opens as any other does, with
    torch alone.

    Args:
        network: as its constructor makes it; it is changed.
        channels: inputs, outputs and groups of each layer that is narrower, by the layer's name.

    Raises:
        ValueError: a layer that the network has not or that is no convolution, linear layer or BatchNorm, or channels
            that do not fit it.
    """
    layers = dict(network.named_modules())
    for name, shape in channels.items():
        layer = layers.get(name)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"channels: {type(network).__name__} has no convolution, linear layer or BatchNorm {name!r}"
            )
        widest = layer_channels(layer)
        if len(shape) != 3 or not all(1 <= few <= many for few, many in zip(shape, widest, strict=True)):
            raise ValueError(f"channels: {name} cannot be narrowed from {widest} to {shape} (inputs, outputs, groups)")
        _narrow(layer, *shape)
    return network


def layer_channels(layer: Layer) -> list[int]:
    """Inputs, outputs and groups of a layer."""
    if isinstance(layer, _BatchNorm):
        return [layer.num_features, layer.num_features, 1]
    if isinstance(layer, nn.Linear):
        return [layer.in_features, layer.out_features, 1]
    return [layer.in_channels, layer.out_channels, layer.groups]


def network_channels(network: nn.Module) -> dict[str, list[int]]:
    """Inputs, outputs and groups of every layer that :func:`with_pruned_channels` can narrow, by its name."""
    return {name: layer_channels(layer) for name, layer in network.named_modules() if isinstance(layer, Layer)}


def _narrow(layer: Layer, inputs: int, outputs: int, groups: int) -> None:
    """Keep the first channels: what they start from, or what the checkpoint's weights will replace."""
    if isinstance(layer, _BatchNorm):
        layer.num_features = outputs
        rows, columns = outputs, 0
    elif isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = inputs, outputs
        rows, columns = outputs, inputs
    else:
        layer.in_channels, layer.out_channels, layer.groups = inputs, outputs, groups
        transposed = isinstance(layer, nn.ConvTranspose2d)
        rows, columns = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    with torch.no_grad():
        for name, parameter in layer.named_parameters(recurse=False):
            kept = parameter[:outputs] if parameter.ndim == 1 else parameter[:rows, :columns]
            setattr(layer, name, nn.Parameter(kept.clone(), parameter.requires_grad))
        for name, buffer in layer.named_buffers(recurse=False):
            if buffer.ndim:  # BatchNorm counts its batches in a scalar
                setattr(layer, name, buffer[:outputs].clone())
