"""The learning rate's course."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class WarmupCosine(LambdaLR):
    """Linear warm-up, then a cosine down to zero (arXiv 1608.03983), a step at a time.

    Args:
        optimizer: whose learning rate is the peak.
        total_steps: optimizer steps of the whole run.
        warmup: share of them in which the rate rises.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.05) -> None:
        rising = max(1, round(warmup * total_steps))

        def factor(step: int) -> float:
            if step < rising:
                return (step + 1) / (rising + 1)
            progress = (step - rising) / max(1, total_steps - rising)
            return (1 + math.cos(math.pi * min(1.0, progress))) / 2

        super().__init__(optimizer, factor)
