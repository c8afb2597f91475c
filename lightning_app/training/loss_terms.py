"""Checks of what a network and a loss return."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def require_predictions(network: nn.Module, predictions: Any) -> tuple[Tensor, ...]:
    """Return the predictions of a network; raise ValueError if they are not a tuple of tensors, (B, 1, h, w)."""
    name = f"{type(network).__module__}.{type(network).__name__}"
    if not isinstance(predictions, tuple) or not predictions:
        raise ValueError(f"{name}.multiscale returns {type(predictions).__name__}; it returns a tuple, finest first")
    for each in predictions:
        if not isinstance(each, Tensor) or each.ndim != 4 or each.shape[1] != 1:
            shape = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
            raise ValueError(f"{name}.multiscale returns a prediction of {shape}; each is (B, 1, h, w)")
    return predictions


def require_terms(loss: nn.Module, terms: Any) -> dict[str, Tensor]:
    """Return the terms of a loss, checked.

    Raises:
        ValueError: not a dict of scalars, or ``loss`` is missing, is not a tensor or has no gradient in training.
    """
    name = f"{type(loss).__module__}.{type(loss).__name__}"
    if not isinstance(terms, dict) or "loss" not in terms:
        returned = f"the keys {', '.join(map(str, terms))}" if isinstance(terms, dict) else type(terms).__name__
        raise ValueError(f"{name} returns {returned}; a loss returns a dict with the key 'loss'")
    for key, value in terms.items():
        if isinstance(value, Tensor):
            if value.numel() != 1:
                raise ValueError(f"{name} returns {key!r} of shape {tuple(value.shape)}; each term is a scalar: a mean")
        elif key == "loss" or not isinstance(value, int | float):
            raise ValueError(f"{name} returns {key!r} as {type(value).__name__}; each term is a tensor of one value")
    if torch.is_grad_enabled() and not terms["loss"].requires_grad:
        raise ValueError(f"{name} returns a 'loss' without gradient; compute it from the predictions, not detached")
    return terms
