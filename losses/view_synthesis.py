"""View synthesis: where the pixels of a depth map are seen in another view."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_NEAREST = 1e-3  # metres; what is nearer or behind the camera is not seen
_TOLERANCE = 0.15  # relative difference of depth that slanted surfaces have within a pixel of the view


def project(depth: Tensor, intrinsics: Tensor, pose: Tensor, view_intrinsics: Tensor) -> Tensor:
    """Project the pixels of a depth map into another view.

    Args:
        depth: metres, (B, 1, H, W).
        intrinsics: of the depth map, (B, 3, 3), pixels.
        pose: from the coordinates of the depth map's camera to those of the view's camera, (B, 4, 4), metres.
        view_intrinsics: of the view, (B, 3, 3), pixels.

    Returns:
        Column and row in the view, pixels, and depth in the view, metres, of each pixel of the depth map, (B, 3, H, W).
    """
    depth = depth.to(intrinsics.dtype)
    height, width = depth.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, device=depth.device, dtype=depth.dtype),
        torch.arange(width, device=depth.device, dtype=depth.dtype),
        indexing="ij",
    )
    pixels = torch.stack([columns, rows, torch.ones_like(rows)]).flatten(1)  # (3, H W)
    with torch.autocast(depth.device.type, enabled=False):  # 16 bits are too few for pixels
        points = torch.linalg.inv(intrinsics) @ pixels * depth.flatten(2)  # (B, 3, H W)
        seen = view_intrinsics @ (pose[:, :3, :3] @ points + pose[:, :3, 3:])  # (B, 3, H W): (u z, v z, z)
    z = seen[:, 2:]
    places = seen[:, :2] / z.where(z > _NEAREST, 1)
    return torch.cat([places, z], 1).view(-1, 3, height, width)


def sample(view: Tensor, places: Tensor) -> Tensor:
    """Sample a view, (B, C, h, w), at places from :func:`project`: (B, C, H, W), bilinear."""
    height, width = view.shape[-2:]
    scale = places.new_tensor([2 / width, 2 / height]).view(2, 1, 1)
    grid = ((places[:, :2] + 0.5) * scale - 1).permute(0, 2, 3, 1)  # (B, H, W, 2) in [-1, 1]
    return F.grid_sample(view, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def is_seen(places: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether a pixel is seen in a view: inside of it, in front of its camera, and not behind another pixel's surface.

    Args:
        places: from :func:`project`, (B, 3, H, W).
        size: (height, width) of the view.

    Returns:
        bool, (B, 1, H, W).
    """
    height, width = size
    x, y, z = places.flatten(2).unbind(1)  # (B, H W)
    inside = (z > _NEAREST) & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    place = torch.where(inside, y.round() * width + x.round(), height * width).long()  # the last one: outside
    nearest = z.new_full((len(z), height * width + 1), torch.inf).scatter_reduce(1, place, z, "amin")
    seen = inside & (z <= nearest.gather(1, place) * (1 + _TOLERANCE))
    return seen.view(len(z), 1, *places.shape[-2:])
