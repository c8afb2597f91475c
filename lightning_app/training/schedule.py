"""The optimizer, and the learning rate's course."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

Schedule = Callable[[Optimizer, int], LRScheduler]


class Optimisation(NamedTuple):
    """How a module is trained.

    Attributes:
        optimizer: built from the parameters.
        schedule: built from the optimizer and the number of steps of the run.
    """

    optimizer: OptimizerCallable
    schedule: Schedule

    def configure(
        self, parameters: Iterable[Any], steps: float, rates: Mapping[str, float] | None = None
    ) -> OptimizerLRScheduler:
        """What Lightning asks a module for.

        Args:
            parameters: or groups of them, with a ``name``.
            steps: of the whole run.
            rates: what the learning rate of a named group is multiplied by.
        """
        optimizer = self.optimizer(parameters)
        for group in optimizer.param_groups:
            group["lr"] *= (rates or {}).get(group.get("name", ""), 1)
        schedule = self.schedule(optimizer, int(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same: what the command line builds cannot be copied, but weight averaging copies whole modules."""
        return self


class OneCycle(OneCycleLR):
    """Up to the optimizer's learning rate and down to nearly zero, momentum the other way (arXiv 1708.07120).

    Args:
        optimizer: whose learning rate is the peak.
        total_steps: optimizer steps of the whole run.
        warmup: share of them in which the rate rises.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.3) -> None:
        peaks = [group["lr"] for group in optimizer.param_groups]
        super().__init__(optimizer, peaks, total_steps=total_steps, pct_start=warmup)


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
