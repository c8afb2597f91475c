"""Resizing and averaging that never let an unknown pixel in."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask per image, then over images.

    Args:
        values: (B, 1, H, W); what stands outside the mask may be anything, NaN too.
        mask: bool, (B, 1, H, W).

    Returns:
        A scalar; an image whose mask is empty adds 0.
    """
    total = values.where(mask, 0).sum((1, 2, 3))  # (B,)
    return (total / mask.sum((1, 2, 3)).clamp_min(1)).mean()


def masked_downsample(values: Tensor, valid: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Average blocks of ``factor`` x ``factor`` pixels over their valid pixels alone. Not :func:`resize`: bilinear
    weights would mix unknown pixels in.

    A block at the right or bottom edge of a size that ``factor`` does not divide holds the pixels that there are.

    Args:
        values: (B, 1, H, W).
        valid: bool, (B, 1, H, W).

    Returns:
        The averages, 0 where a block has no valid pixel, and the mask of the blocks that have one, both
        (B, 1, ceil(H/factor), ceil(W/factor)).
    """
    height, width = values.shape[-2:]
    pad = (0, -width % factor, 0, -height % factor)
    weight = F.pad(valid.to(values.dtype), pad)  # to whole blocks
    total = F.avg_pool2d(F.pad(values.where(valid, 0), pad), factor)  # (B, 1, ceil(H/factor), ceil(W/factor))
    share = F.avg_pool2d(weight, factor)
    return total / share.clamp_min(1e-12), share > 0


def masked_gradient(values: Tensor, mask: Tensor, step: int = 1) -> Tensor:
    """Mean absolute difference of neighbours in both directions, between known pixels alone, over every ``step``-th row
    and column.

    Args:
        values: (B, 1, H, W).
        mask: bool, (B, 1, H, W).

    Returns:
        A scalar, the sum of both directions.
    """
    values, mask = values[..., ::step, ::step], mask[..., ::step, ::step]  # (B, 1, ceil(H/step), ceil(W/step))
    across = masked_mean((values[..., 1:] - values[..., :-1]).abs(), mask[..., 1:] & mask[..., :-1])
    down = masked_mean((values[..., 1:, :] - values[..., :-1, :]).abs(), mask[..., 1:, :] & mask[..., :-1, :])
    return across + down


def resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize inverse depth, (B, 1, h, w), to (height, width): bilinear between pixel centres, without antialiasing.

    ``deploy.inference.images.to_image_size`` does the same in numpy, and ``deploy.export.camera_input`` in ONNX.
    """
    return values if values.shape[-2:] == size else F.interpolate(values, size, mode="bilinear", align_corners=False)


def resize_depth(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize depth, (B, 1, h, w), to (height, width), as :func:`resize` does its inverse."""
    return depth if depth.shape[-2:] == size else 1 / resize(1 / depth, size)
