"""Structured magnitude pruning with torch-pruning: removes the channels with the smallest weights."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import torch
from torch import nn

from deploy.inference.optional_packages import require
from models.float_layers import head_layers
from models.pruned import network_channels

ROUND = 8  # channel numbers stay multiples of this, which suits SIMD units and NPUs
STEPS = 48  # number of pruning steps. In a single step, a layer that would lose all channels keeps all of them.
DEEPEST = 0.96  # share of channels removed after all steps


def narrow_to(
    network: nn.Module,
    size: tuple[int, int],
    target: float,
    share: Callable[[nn.Module], float],
    across_layers: bool = False,
) -> nn.Module:
    """Find the widest pruned network whose cost is at most ``target``, by bisection over the number of steps.

    Args:
        network: trained network. It is not modified. The outputs of its module ``heads`` are not pruned.
        size: (height, width) of the input.
        target: largest share of the cost.
        share: function that returns the cost of a network relative to the unpruned network.
        across_layers: rank the channels of all layers together instead of removing the same share from each layer.

    Returns:
        The pruned network, in evaluation mode.

    Raises:
        ImportError: torch-pruning is not installed.
        ValueError: the target is unreachable, or the network cannot be pruned.
    """
    reached, low, high = None, -1, STEPS + 1
    while high - low > 1:
        steps = (low + high) // 2
        candidate = narrower(network, size, steps, across_layers)
        cost = share(candidate)
        print(f"  {steps * DEEPEST / STEPS:.0%} of the channels removed: {cost:.3f}x")
        if cost <= target:
            reached, high = candidate, steps
        else:
            low = steps
    if reached is None:
        raise ValueError(
            f"pruning does not reach {target}: with {DEEPEST:.0%} of the channels removed it reaches {cost:.3f}"
        )
    return reached


def narrower(network: nn.Module, size: tuple[int, int], steps: int, across_layers: bool = False) -> nn.Module:
    """Return a pruned copy of a network in evaluation mode.

    Args:
        network: trained network. It is not modified.
        size: (height, width) of the input.
        steps: number of pruning steps. After :data:`STEPS` steps, the share :data:`DEEPEST` of the channels is removed.
        across_layers: rank the channels of all layers together instead of removing the same share from each layer.

    Raises:
        ImportError: torch-pruning is not installed.
        ValueError: the network cannot be pruned.
    """
    torch_pruning = require("torch_pruning", "prune")
    _require_no_fused_blocks(network)
    pruned = copy.deepcopy(network).eval().requires_grad_(True)  # torch-pruning traces the autograd graph
    heads = [pruned.get_submodule(name) for name in head_layers(pruned)]
    if not heads:
        raise ValueError(f"{type(network).__name__} has no module named heads, whose outputs must not be pruned")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parameters outside of layers, for which `changed_channels` raises
        pruner = torch_pruning.pruner.BasePruner(
            pruned,
            torch.zeros(1, 3, *size),
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            global_pruning=across_layers,
            pruning_ratio=DEEPEST,
            iterative_steps=STEPS,
            round_to=ROUND,
            ignored_layers=heads,
            in_channel_groups={},  # the mutable defaults are shared by all pruners
            out_channel_groups={},
            forward_fn=lambda model, image: model.multiscale(
                image
            ),  # includes the heads that are only used in training
        )
        for _ in range(steps):
            pruner.step()
    return pruned.requires_grad_(False)


def changed_channels(before: nn.Module, after: nn.Module) -> dict[str, list[int]]:
    """Return the ``channels`` argument of :func:`models.with_pruned_channels` that turns ``before`` into ``after``.

    Args:
        before: unpruned network.
        after: pruned network.

    Raises:
        ValueError: a layer of an unsupported type was pruned.
    """
    old, new = network_channels(before), network_channels(after)
    shapes = {key: value.shape for key, value in before.state_dict().items()}
    for key, value in after.state_dict().items():
        name = key.rpartition(".")[0]
        if value.shape != shapes[key] and name not in new:
            kind = type(after.get_submodule(name)).__name__
            raise ValueError(f"{name} ({kind}) cannot be pruned: only convolutions, linear layers and BatchNorm can")
    return {name: shape for name, shape in new.items() if shape != old[name]}


def _require_no_fused_blocks(network: nn.Module) -> None:
    """Raise ValueError for blocks that are fused at export, because fusing uses their original widths."""
    for name, block in network.named_modules():
        if hasattr(block, "reparameterize"):
            raise ValueError(f"{name} ({type(block).__name__}) is fused at export and cannot be pruned")
