"""Multi-scale L1 loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from losses.masked import masked_downsample, masked_mean, resize_depth
from losses.quantities import depth_of


class MultiScaleL1(nn.Module):
    """L1 in metres between prediction and ground truth at several scales.

    Both are downsampled by averaging the valid pixels of each block.

    Args:
        scales: downsampling factors relative to the size of the ground truth.
        weights: weight of each scale.
        supervise: ``finest`` compares the finest (exported) prediction at every scale. ``heads`` compares the i-th head
            at the i-th scale; the first head is the exported one.

    Raises:
        ValueError: ``scales`` and ``weights`` differ in length, a scale is below 1, a weight is negative, or no weight
            trains the exported head.
    """

    def __init__(
        self,
        scales: Sequence[int] = (4, 8, 16, 32),
        weights: Sequence[float] = (0.5, 0.25, 0.125, 0.125),
        supervise: Literal["finest", "heads"] = "finest",
    ) -> None:
        super().__init__()
        if len(scales) != len(weights):
            raise ValueError(f"{len(scales)} scales {list(scales)} but {len(weights)} weights {list(weights)}")
        if any(scale < 1 for scale in scales) or any(weight < 0 for weight in weights):
            raise ValueError(f"scales {list(scales)} must be 1 or more, weights {list(weights)} 0 or more")
        exported = weights if supervise == "finest" else weights[:1]
        if not sum(exported) > 0:
            raise ValueError(f"weights {list(weights)} do not train the exported head: set a positive weight")
        self.scales, self.weights, self.supervise = tuple(scales), tuple(weights), supervise

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a term ``l1_S`` for each scale S, and their weighted sum under ``loss``.

        Raises:
            ValueError: ``supervise`` is ``heads`` and the network has fewer heads than ``scales``.
        """
        depth, valid = batch["depth"], batch["valid"]
        count = len(self.scales) if self.supervise == "heads" else 1
        if len(predictions) < count:
            raise ValueError(f"{count} scales need as many heads, but the network has {len(predictions)}: set heads")
        size = (depth.shape[-2], depth.shape[-1])
        full = [resize_depth(depth_of(prediction, batch), size) for prediction in predictions[:count]]  # (B, 1, H, W)
        terms = {}
        for index, scale in enumerate(self.scales):
            prediction, _ = masked_downsample(full[min(index, count - 1)], valid, scale)
            truth, mask = masked_downsample(depth, valid, scale)  # (B, 1, ceil(H/scale), ceil(W/scale))
            terms[f"l1_{scale}"] = masked_mean((prediction - truth).abs(), mask)
        weighted = [weight * term for weight, term in zip(self.weights, terms.values(), strict=True)]
        return terms | {"loss": torch.stack(weighted).sum()}
