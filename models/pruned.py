"""Networks with fewer channels than their constructor creates, as produced by structured pruning."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.description import Described

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear | _BatchNorm


def with_pruned_channels(network: nn.Module, channels: dict[str, list[int]]) -> nn.Module:
    """Reduce the channels of a network in place. Its class and the names of its modules do not change.

    It is the ``class_path`` in checkpoints of pruned networks, so they load like any other checkpoint.

    Args:
        network: network as created by its constructor; it is modified.
        channels: inputs, outputs and groups of each narrowed layer, by the name of the layer.

    Returns:
        The same network.

    Raises:
        ValueError: a layer is missing or not a convolution, linear layer or BatchNorm, or its channels do not match.
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
    if isinstance(network, Described) and network.description is not None:
        arguments = {"network": network.description, "channels": channels}
        network.description = {"class_path": "models.with_pruned_channels", "init_args": arguments}
    return network


def layer_channels(layer: Layer) -> list[int]:
    """Number of input channels, output channels and groups of a layer."""
    if isinstance(layer, _BatchNorm):
        return [layer.num_features, layer.num_features, 1]
    if isinstance(layer, nn.Linear):
        return [layer.in_features, layer.out_features, 1]
    return [layer.in_channels, layer.out_channels, layer.groups]


def network_channels(network: nn.Module) -> dict[str, list[int]]:
    """Channels of every layer that :func:`with_pruned_channels` can narrow, by name, see :func:`layer_channels`."""
    return {name: layer_channels(layer) for name, layer in network.named_modules() if isinstance(layer, Layer)}


def _narrow(layer: Layer, inputs: int, outputs: int, groups: int) -> None:
    """Keep the first channels of a layer. Loading a checkpoint replaces their weights."""
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
            if buffer.ndim:  # num_batches_tracked of BatchNorm is a scalar
                setattr(layer, name, buffer[:outputs].clone())
