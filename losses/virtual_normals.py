"""Virtual normal loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses.masked import resize_depth
from losses.quantities import depth_of


class VirtualNormals(nn.Module):
    """L1 between the normals of planes through random triplets of points (arXiv 1907.12209).

    Triplets span the whole frame, so the loss penalises errors of the 3D shape rather than of single pixels.

    Args:
        triplets: number of triplets per frame.
        min_distance: minimum distance between the points of a triplet, in metres in the ground truth.
        trim: share of the smallest errors of each frame to exclude.

    Raises:
        ValueError: ``triplets`` is below 1, ``min_distance`` is negative, or ``trim`` is outside [0, 1).
    """

    def __init__(self, triplets: int = 4096, min_distance: float = 0.6, trim: float = 0.25) -> None:
        super().__init__()
        if triplets < 1 or min_distance < 0 or not 0 <= trim < 1:
            raise ValueError(
                f"triplets {triplets} must be at least 1, min_distance {min_distance} at least 0, trim {trim} in [0, 1)"
            )
        self.triplets, self.min_distance, self.trim = triplets, min_distance, trim

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return the term ``virtual_normals`` of the finest prediction. Triplets depend only on ``batch["key"]``."""
        depth, valid = batch["depth"], batch["valid"]
        prediction = resize_depth(depth_of(predictions[0], batch), (depth.shape[-2], depth.shape[-1]))  # (B, 1, H, W)
        pixels, known = self._draw(valid, batch)  # (B, T, 3), (B, 1)
        rays = _rays(pixels, batch["intrinsics"].to(depth.dtype), depth.shape[-1])
        truth = _points(depth.where(valid, 1), pixels, rays)  # (B, T, 3, 3): points, coordinates
        usable = known & self._is_triangle(truth)  # (B, T)
        error = (_normals(_points(prediction, pixels, rays)) - _normals(truth)).abs().sum(-1)  # (B, T)
        value = self._trimmed_mean(error, usable)
        return {"virtual_normals": value, "loss": value}

    def _draw(self, valid: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Indices of known pixels for T triplets, (B, T, 3), and the mask of frames with known pixels, (B, 1)."""
        seed = int(batch["key"].sum()) % 2**63 if "key" in batch else 0
        draws = torch.rand(len(valid), 3 * self.triplets, generator=torch.Generator().manual_seed(seed))
        # (B, HW): pixel indices, known pixels first
        known_first = valid.flatten(1).byte().argsort(stable=True, dim=1, descending=True)
        count = valid.sum((1, 2, 3)).unsqueeze(1)  # (B, 1)
        place = (draws.to(valid.device) * count).long().clamp_max(valid[0].numel() - 1)  # (B, 3T)
        return known_first.gather(1, place).view(len(valid), -1, 3), count > 0

    def _is_triangle(self, points: Tensor) -> Tensor:
        """Mask, (B, T), of triplets that are far enough apart and have all angles between 30 and 120 degrees."""
        edges = points.roll(-1, dims=2) - points
        far = (edges.norm(dim=-1) > self.min_distance).all(-1)
        cosine = -F.cosine_similarity(edges, edges.roll(1, dims=2), dim=-1)
        usable: Tensor = far & ((cosine > -0.5) & (cosine < 0.867)).all(-1)
        return usable

    def _trimmed_mean(self, error: Tensor, usable: Tensor) -> Tensor:
        """Mean of the usable errors of each frame, (B, T), without its smallest ones, then over frames."""
        count = usable.sum(1, keepdim=True)
        ordered = error.where(usable, float("inf")).sort(1).values
        place = torch.arange(error.shape[1], device=error.device)
        first = (count * self.trim).floor()
        kept = (place >= first) & (place < count)
        return (ordered.where(kept, 0).sum(1) / kept.sum(1).clamp_min(1)).mean()


def _rays(pixels: Tensor, intrinsics: Tensor, width: int) -> Tensor:
    """Camera coordinates at depth 1, (B, T, 3, 3), of pixel indices in row-major order, (B, T, 3)."""
    k = intrinsics[:, None, None]  # (B, 1, 1, 3, 3)
    x = (pixels % width - k[..., 0, 2]) / k[..., 0, 0]
    y = (pixels // width - k[..., 1, 2]) / k[..., 1, 1]
    return torch.stack([x, y, torch.ones_like(x)], dim=-1)


def _points(depth: Tensor, pixels: Tensor, rays: Tensor) -> Tensor:
    """Camera coordinates of the pixels, (B, T, 3, 3)."""
    at_pixels = depth.flatten(1).gather(1, pixels.flatten(1)).view_as(pixels)  # (B, T, 3)
    return at_pixels[..., None] * rays  # (B, T, 3, 3)


def _normals(points: Tensor) -> Tensor:
    """Unit normals, (B, T, 3), of the planes through triplets of points, (B, T, 3, 3)."""
    first, second = points[..., 1, :] - points[..., 0, :], points[..., 2, :] - points[..., 0, :]
    return F.normalize(torch.linalg.cross(first, second), dim=-1)
