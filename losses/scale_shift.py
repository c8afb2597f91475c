"""Scale- and shift-invariant loss of MiDaS."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from losses.masked import masked_gradient, resize
from losses.quantities import inv_depth_of, true_inv_depth


class ScaleShiftInvariant(nn.Module):
    """Scale- and shift-invariant trimmed L1 of inverse depth with a multi-scale gradient term (arXiv 1907.01341).

    It suits targets of unknown scale and shift, such as a teacher's predictions.

    Args:
        trim: share of the largest errors of each frame to exclude as outliers.
        gradient: weight of the gradient term.
        scales: number of scales of the gradient term; each has half the size of the one before.

    Raises:
        ValueError: ``trim`` is outside [0, 1), ``gradient`` is negative, or ``scales`` is below 1.
    """

    def __init__(self, trim: float = 0.2, gradient: float = 0.5, scales: int = 4) -> None:
        super().__init__()
        if not 0 <= trim < 1 or gradient < 0 or scales < 1:
            raise ValueError(
                f"trim {trim} must be in [0, 1), gradient {gradient} at least 0, scales {scales} at least 1"
            )
        self.trim, self.gradient, self.scales = trim, gradient, scales

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms ``ssi`` and ``gradient`` of the finest prediction, and their weighted sum under ``loss``."""
        truth, valid = true_inv_depth(batch)
        prediction = resize(inv_depth_of(predictions[0], batch), (truth.shape[-2], truth.shape[-1]))
        error = (_aligned(prediction, valid) - _aligned(truth, valid)).where(valid, 0)  # (B, 1, H, W)
        ssi = _trimmed_mean(error.abs(), valid, self.trim) / 2
        gradient = torch.stack([masked_gradient(error, valid, 2**scale) for scale in range(self.scales)]).sum()
        return {"ssi": ssi, "gradient": gradient, "loss": ssi + self.gradient * gradient}


def _aligned(values: Tensor, valid: Tensor) -> Tensor:
    """Subtract the median of each frame and divide by its mean absolute deviation from the median."""
    known = values.where(valid, float("nan")).flatten(1)  # (B, HW)
    median = known.nanmedian(1).values.nan_to_num().view(-1, 1, 1, 1)  # (B, 1, 1, 1)
    centred = (values - median).where(valid, 0)
    spread = centred.abs().sum((1, 2, 3), keepdim=True) / valid.sum((1, 2, 3), keepdim=True).clamp_min(1)
    return centred / spread.clamp_min(1e-6)


def _trimmed_mean(values: Tensor, valid: Tensor, trim: float) -> Tensor:
    """Sum of the known values of each frame without its largest ones, over their full number; mean over frames."""
    count = valid.sum((1, 2, 3))  # (B,)
    ordered = values.where(valid, float("inf")).flatten(1).sort(1).values  # (B, HW)
    kept = torch.arange(ordered.shape[1], device=values.device) < (count * (1 - trim)).ceil()[:, None]
    return (ordered.where(kept, 0).sum(1) / count.clamp_min(1)).mean()
