"""Masked averages and resizing that ignore unknown pixels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask per image, then over images.

    Args:
        values: (B, 1, H, W); values outside the mask are ignored, NaN included.
        mask: bool, (B, 1, H, W).

    Returns:
        A scalar. An image with an empty mask contributes 0.
    """
    total = values.where(mask, 0).sum((1, 2, 3))  # (B,)
    return (total / mask.sum((1, 2, 3)).clamp_min(1)).mean()


def masked_downsample(values: Tensor, valid: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Average the valid pixels of each block of ``factor`` x ``factor`` pixels.

    Unlike :func:`resize`, it never mixes unknown pixels in. Blocks at the right and bottom edges may be smaller.

    Args:
        values: (B, 1, H, W).
        valid: bool, (B, 1, H, W).
        factor: side of a block in pixels.

    Returns:
        The averages, 0 for blocks without valid pixels, and the mask of blocks with valid pixels, both
        (B, 1, ceil(H/factor), ceil(W/factor)).
    """
    height, width = values.shape[-2:]
    pad = (0, -width % factor, 0, -height % factor)
    weight = F.pad(valid.to(values.dtype), pad)  # (B, 1, H, W), padded to multiples of factor
    total = F.avg_pool2d(F.pad(values.where(valid, 0), pad), factor)  # (B, 1, ceil(H/factor), ceil(W/factor))
    share = F.avg_pool2d(weight, factor)
    return total / share.clamp_min(1e-12), share > 0


def masked_gradient(values: Tensor, mask: Tensor, step: int = 1) -> Tensor:
    """Mean absolute difference of adjacent known pixels.

    Args:
        values: (B, 1, H, W).
        mask: bool, (B, 1, H, W); a difference counts if both pixels are in the mask.
        step: use every ``step``-th row and column only.

    Returns:
        A scalar, the sum of the horizontal and the vertical mean.
    """
    values, mask = values[..., ::step, ::step], mask[..., ::step, ::step]  # (B, 1, ceil(H/step), ceil(W/step))
    across = masked_mean((values[..., 1:] - values[..., :-1]).abs(), mask[..., 1:] & mask[..., :-1])
    down = masked_mean((values[..., 1:, :] - values[..., :-1, :]).abs(), mask[..., 1:, :] & mask[..., :-1, :])
    return across + down


def resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize inverse depth, (B, 1, h, w), to (height, width): bilinear, ``align_corners=False``, no antialiasing.

    ``deploy.inference.images.to_image_size`` and ``deploy.export.camera_input`` are the same operation in numpy and
    ONNX.
    """
    return values if values.shape[-2:] == size else F.interpolate(values, size, mode="bilinear", align_corners=False)


def resize_depth(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize depth, (B, 1, h, w), to (height, width), by :func:`resize` of its inverse."""
    return depth if depth.shape[-2:] == size else 1 / resize(1 / depth, size)
