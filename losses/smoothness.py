"""Edge-aware smoothness loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from losses.quantities import inv_depth_of


class EdgeAwareSmoothness(nn.Module):
    """Edge-aware smoothness of the mean-normalised inverse depth (arXiv 1609.03677, arXiv 1806.01260).

    It penalises depth gradients where the image has none. Use it as a regulariser together with another loss; it needs
    no ground truth.
    """

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the term ``smoothness`` of the finest prediction, computed at the size of the prediction."""
        inv_depth = inv_depth_of(predictions[0], batch)  # (B, 1, h, w)
        inv_depth = inv_depth / inv_depth.abs().mean((2, 3), keepdim=True).clamp_min(1e-6)
        image = F.interpolate(batch["image"], inv_depth.shape[-2:], mode="area")  # (B, 3, h, w)
        value = sum((_gradient(inv_depth, axis) * (-_gradient(image, axis)).exp()).mean() for axis in (-1, -2))
        assert isinstance(value, Tensor)
        return {"smoothness": value, "loss": value}


def _gradient(values: Tensor, axis: int) -> Tensor:
    """Absolute difference of adjacent pixels, averaged over channels."""
    return values.diff(dim=axis).abs().mean(1, keepdim=True)  # (B, 1, h, w), one less along axis
