"""Optimizer and learning rate schedules."""

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
    """Optimizer and learning rate schedule of a module.

    Attributes:
        optimizer: builds the optimizer from the parameters.
        schedule: builds the schedule from the optimizer and the total number of steps.
    """

    optimizer: OptimizerCallable
    schedule: Schedule

    def configure(
        self, parameters: Iterable[Any], steps: float, rates: Mapping[str, float] | None = None
    ) -> OptimizerLRScheduler:
        """Build optimizer and schedule, as returned by ``LightningModule.configure_optimizers``.

        Args:
            parameters: parameters, or parameter groups with a ``name``.
            steps: total number of optimizer steps.
            rates: learning rate multipliers by name of the group.

        Raises:
            ValueError: the number of steps is infinite.
        """
        if math.isinf(steps):
            raise ValueError("the learning rate schedule needs the length of the run: set max_steps or max_epochs")
        optimizer = self.optimizer(parameters)
        for group in optimizer.param_groups:
            group["lr"] *= (rates or {}).get(group.get("name", ""), 1)
        schedule = self.schedule(optimizer, int(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same object: weight averaging copies modules, but callables of jsonargparse cannot be copied."""
        return self


class OneCycle(OneCycleLR):
    """One-cycle schedule (arXiv 1708.07120): the learning rate rises to its peak, then falls to nearly zero.

    The momentum is cycled inversely.

    Args:
        optimizer: optimizer; its learning rate is the peak.
        total_steps: total number of optimizer steps.
        warmup: fraction of the steps in which the learning rate rises.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.3) -> None:
        peaks = [group["lr"] for group in optimizer.param_groups]
        super().__init__(optimizer, peaks, total_steps=total_steps, pct_start=warmup)


class WarmupCosine(LambdaLR):
    """Linear warm-up, then cosine decay to zero (arXiv 1608.03983), updated at each step.

    Args:
        optimizer: optimizer; its learning rate is the peak.
        total_steps: total number of optimizer steps.
        warmup: fraction of the steps in which the learning rate rises.

    Raises:
        ValueError: ``warmup`` is not in [0, 1].
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.05) -> None:
        if not 0 <= warmup <= 1:
            raise ValueError(f"warmup {warmup} is not a fraction of the steps, in [0, 1]")
        rising = max(1, round(warmup * total_steps))

        def factor(step: int) -> float:
            if step < rising:
                return (step + 1) / (rising + 1)
            progress = (step - rising) / max(1, total_steps - rising)
            return (1 + math.cos(math.pi * min(1.0, progress))) / 2

        super().__init__(optimizer, factor)
