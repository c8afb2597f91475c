"""Errors of loggers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def logger_errors() -> Iterator[None]:
    """Raise RuntimeError for W&B's own errors (not logged in, no network), which share no built-in base class."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.startswith("wandb."):
            raise RuntimeError(f"Weights & Biases: {error} (or set WANDB_MODE=offline)") from error
        raise
