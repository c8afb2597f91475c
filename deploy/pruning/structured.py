"""Structured magnitude pruning by torch-pruning: whole channels go, those of the smallest weights first."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from models.float_layers import head_layers
from models.pruned import network_channels

ROUND = 8  # channels stay multiples of it: what SIMD and NPUs work in
STEPS = 48  # in which channels go: at once, a layer that would lose them all would keep them all
DEEPEST = 0.96  # share of the channels that are gone after all steps


def narrow_to(
    network: nn.Module,
    size: tuple[int, int],
    target: float,
    share: Callable[[nn.Module], float],
    across_layers: bool = False,
) -> nn.Module:
    """The widest of ever narrower networks whose share of a cost is at most ``target``; found by bisection.

    Args:
        network: trained; it is left as it is. Its part called ``heads`` keeps its outputs.
        size: (height, width).
        target: of ``share``.
        share: what a network costs, as a share of what the unpruned one does.
        across_layers: take the weakest channels of all layers together; else the same share of every layer.

    Raises:
        ImportError: torch-pruning is not installed.
        ValueError: a target that is not reached, or a network that cannot be pruned.
    """
    reached, low, high = None, -1, STEPS + 1
    while high - low > 1:
        steps = (low + high) // 2
        candidate = narrower(network, size, steps, across_layers)
        cost = share(candidate)
        print(f"  {steps * DEEPEST / STEPS:.0%} of the channels: {cost:.3f}x")
        if cost <= target:
            reached, high = candidate, steps
        else:
            low = steps
    if reached is None:
        raise ValueError(f"pruning does not reach {target}: with {DEEPEST:.0%} of the channels gone it is {cost:.3f}")
    return reached


def narrower(network: nn.Module, size: tuple[int, int], steps: int, across_layers: bool = False) -> nn.Module:
    """A copy in evaluation mode from which ``steps`` of :data:`STEPS` parts of the channels were taken."""
    torch_pruning = import_torch_pruning()
    _refuse_blocks_that_fuse(network)
    pruned = copy.deepcopy(network).eval().requires_grad_(True)  # it follows the gradient's graph
    heads = [pruned.get_submodule(name) for name in head_layers(pruned)]
    if not heads:
        raise ValueError(f"{type(network).__name__} has no part called heads, whose outputs pruning must keep")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters outside of layers: `changed_channels` refuses them
        pruner = torch_pruning.pruner.BasePruner(
            pruned,
            torch.zeros(1, 3, *size),
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            global_pruning=across_layers,
            pruning_ratio=DEEPEST,
            iterative_steps=STEPS,
            round_to=ROUND,
            ignored_layers=heads,
            in_channel_groups={},  # its defaults are shared by all pruners
            out_channel_groups={},
            forward_fn=lambda model, image: model.multiscale(image),  # the heads of training count too
        )
        for _ in range(steps):
            pruner.step()
    return pruned.requires_grad_(False)


def import_torch_pruning() -> Any:
    """The library, which is an extra.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import torch_pruning
    except ImportError as error:
        raise ImportError("pruning needs torch-pruning: pip install 'pocketdepth[prune]'") from error
    return torch_pruning


def changed_channels(before: nn.Module, after: nn.Module) -> dict[str, list[int]]:
    """What :func:`models.with_pruned_channels` must be told to make ``before`` as narrow as ``after``.

    Raises:
        ValueError: a layer of another kind became narrower.
    """
    old, new = network_channels(before), network_channels(after)
    shapes = {key: value.shape for key, value in before.state_dict().items()}
    for key, value in after.state_dict().items():
        name = key.rpartition(".")[0]
        if value.shape != shapes[key] and name not in new:
            kind = type(after.get_submodule(name)).__name__
            raise ValueError(f"{name} ({kind}) cannot be pruned: only convolutions, linear layers and BatchNorm can")
    return {name: shape for name, shape in new.items() if shape != old[name]}


def _refuse_blocks_that_fuse(network: nn.Module) -> None:
    """Such a block fuses itself by the widths that it was built with."""
    for name, block in network.named_modules():
        if hasattr(block, "reparameterize"):
            raise ValueError(f"{name} ({type(block).__name__}) is fused at export, and cannot be pruned before")
