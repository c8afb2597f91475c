"""Photometric loss of neighbouring views, which needs no ground truth."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses.masked import masked_mean, resize_depth
from losses.quantities import depth_of
from losses.view_synthesis import is_seen, project, sample


class Photometric(nn.Module):
    """Difference between an image and its neighbouring views, warped to it by the predicted depth: SSIM and L1.

    The neighbours of a frame are the other image of a stereo pair or other images of a video, see ``views`` in
    :mod:`datamodules`. Each pixel counts with the neighbour that fits best (minimum reprojection). Pixels that no
    neighbour sees do not count: outside of the view, or behind something nearer. Where a pose is predicted, pixels do
    not count that fit at least as well without warping: what moves with the camera, and a camera that stands still
    (automasking). Frames without neighbours contribute 0. Sources: arXiv 1609.03677, arXiv 1806.01260.

    Args:
        ssim: weight of SSIM; the weight of L1 is 1 - ``ssim``.

    Raises:
        ValueError: ``ssim`` is outside [0, 1].
    """

    def __init__(self, ssim: float = 0.85) -> None:
        super().__init__()
        if not 0 <= ssim <= 1:
            raise ValueError(f"ssim {ssim} is not in [0, 1]")
        self.ssim = ssim

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return the term ``photometric``, the mean over all predictions, each at the size of the image.

        Raises:
            ValueError: the network predicts inverse depth.
        """
        depths = [depth_of(each, batch) for each in predictions]
        if "views" not in batch:
            value = 0 * depths[0].mean()
            return {"photometric": value, "loss": value}
        chosen = batch["has_view"].any(1)  # the warp is the expensive part
        parts = {
            name: batch[name][chosen]
            for name in ("views", "has_view", "view_intrinsics", "poses", "pose_known", "intrinsics")
        }
        share = chosen.float().mean()
        value = share * torch.stack([self._of_depth(each[chosen], parts) for each in depths]).mean()
        return {"photometric": value, "loss": value}

    def _of_depth(self, depth: Tensor, batch: dict[str, Any]) -> Tensor:
        image, views = batch["views"][:, 0], batch["views"][:, 1:]  # (B, 3, H, W), (B, N, 3, H, W)
        size = (image.shape[-2], image.shape[-1])
        depth = resize_depth(depth, size)  # (B, 1, H, W)
        errors = []
        for number in range(views.shape[1]):
            view, intrinsics = views[:, number], batch["view_intrinsics"][:, number]
            usable, known = (batch[name][:, number].view(-1, 1, 1, 1) for name in ("has_view", "pose_known"))
            places = project(depth, batch["intrinsics"], batch["poses"][:, number], intrinsics)
            warped, still = self._difference(sample(view, places), image), self._difference(view, image)
            counted = usable & is_seen(places, size) & (known | (warped < still))
            errors.append(warped.where(counted, torch.inf))
        error = torch.stack(errors).amin(0)  # (B, 1, H, W)
        return masked_mean(error, error.isfinite())

    def _difference(self, one: Tensor, other: Tensor) -> Tensor:
        """Difference of two images, (B, 3, H, W), per pixel: (B, 1, H, W)."""
        structure = (1 - _ssim(one, other)).clamp(0, 2) / 2
        return (self.ssim * structure + (1 - self.ssim) * (one - other).abs()).mean(1, keepdim=True)


def _ssim(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity in windows of 3x3 pixels (Wang et al., 2004), of images in [0, 1]: (B, C, H, W)."""
    first, second = (F.pad(each, (1, 1, 1, 1), mode="reflect") for each in (one, other))
    means = [F.avg_pool2d(each, 3, 1) for each in (first, second, first * first, second * second, first * second)]
    mean_1, mean_2 = means[0], means[1]
    variance_1, variance_2 = means[2] - mean_1 * mean_1, means[3] - mean_2 * mean_2
    covariance = means[4] - mean_1 * mean_2
    similar = (2 * mean_1 * mean_2 + 0.01**2) * (2 * covariance + 0.03**2)
    return similar / ((mean_1.square() + mean_2.square() + 0.01**2) * (variance_1 + variance_2 + 0.03**2))
