"""Edge-aware smoothness."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from losses.quantities import inv_depth_of


class EdgeAwareSmoothness(nn.Module):
    """Gradients of the inverse depth, over its mean, where the image has none (arXiv 1609.03677, 1806.01260); a
    regulariser beside another loss, and needs no truth.
    """

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The term ``smoothness`` of the finest prediction, at its own size."""
        inv_depth = inv_depth_of(predictions[0], batch)  # (B, 1, h, w)
        inv_depth = inv_depth / inv_depth.abs().mean((2, 3), keepdim=True).clamp_min(1e-6)
        image = F.interpolate(batch["image"], inv_depth.shape[-2:], mode="area")  # (B, 3, h, w)
        value = sum((_gradient(inv_depth, axis) * (-_gradient(image, axis)).exp()).mean() for axis in (-1, -2))
        assert isinstance(value, Tensor)
        return {"smoothness": value, "loss": value}


def _gradient(values: Tensor, axis: int) -> Tensor:
    """Absolute difference of neighbours, averaged over channels."""
    return values.diff(dim=axis).abs().mean(1, keepdim=True)  # (B, 1, h, w), one less along the axis
