"""Multiply-accumulates by torch's own counter, to hold ours against."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode


def macs_in_torch(network: torch.nn.Module, size: tuple[int, int]) -> float:
    """Of one image of (height, width); a multiply-accumulate is two of torch's operations."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, *size))
    return float(counter.get_total_flops() / 2)
