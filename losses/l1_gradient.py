"""L1 and gradient loss of "Real-time single image depth perception in the wild with handheld devices"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from losses.masked import masked_gradient, masked_mean, resize
from losses.quantities import inv_depth_of, true_inv_depth


class L1Gradient(nn.Module):
    """L1 and gradient L1 between the inverse depth of a student and a teacher, for each head (arXiv 2006.05724).

    The prediction of each head is resized to the size of the target first.

    Args:
        weights: weight of the gradient term for each head, finest first. The network needs at least as many ``heads``.

    Raises:
        ValueError: ``weights`` is empty or has a negative weight.
    """

    def __init__(self, weights: Sequence[float] = (0.5, 0.25, 0.125)) -> None:
        super().__init__()
        if not weights or min(weights) < 0:
            raise ValueError(f"weights {list(weights)} must have one weight of 0 or more for each head")
        self.weights = tuple(weights)

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms ``l1`` and ``gradient``, summed over heads, and their weighted sum under ``loss``.

        Raises:
            ValueError: the network has fewer heads than ``weights``.
        """
        if len(predictions) < len(self.weights):
            raise ValueError(
                f"{len(self.weights)} weights need as many heads, but the network has {len(predictions)}: set heads"
            )
        truth, valid = true_inv_depth(batch)
        size = (truth.shape[-2], truth.shape[-1])
        l1, gradients = [], []
        for prediction, _ in zip(predictions, self.weights, strict=False):
            error = (resize(inv_depth_of(prediction, batch), size) - truth).where(valid, 0)  # (B, 1, H, W)
            l1.append(masked_mean(error.abs(), valid))
            gradients.append(masked_gradient(error, valid))
        weighted = [a + weight * b for a, b, weight in zip(l1, gradients, self.weights, strict=True)]
        return {
            "l1": torch.stack(l1).sum(),
            "gradient": torch.stack(gradients).sum(),
            "loss": torch.stack(weighted).sum(),
        }
