"""Adaptive instance normalisation on the image itself."""

from __future__ import annotations

from torch import Tensor, nn


class ImageAdaIN(nn.Module):
    """Gives each channel of an image the mean and the standard deviation of a style image.

    The normalisation of arXiv 1703.06868 with the identity as encoder and decoder: no weights, no training.
    """

    def forward(self, content: Tensor, style: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch.

        Args:
            content: RGB in [0, 1], (N, 3, H, W).
            style: RGB in [0, 1], (N, 3, h, w).
            strength: (N,), 0 leaves the content as it is, 1 takes the style's statistics whole.

        Returns:
            RGB in [0, 1], (N, 3, H, W).
        """
        spatial = (-2, -1)
        mean, std = content.mean(spatial, keepdim=True), content.std(spatial, keepdim=True)
        target_mean, target_std = style.mean(spatial, keepdim=True), style.std(spatial, keepdim=True)
        stylised = (content - mean) / std.clamp_min(1e-5) * target_std + target_mean
        alpha = strength.view(-1, 1, 1, 1)
        return ((1 - alpha) * content + alpha * stylised).clamp(0, 1)
