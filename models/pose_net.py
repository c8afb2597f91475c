"""Pose network: two images of a video -> the motion of the camera."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.description import Described

_SCALE = 0.01  # the first predictions are small motions, as in arXiv 1806.01260


class PoseNet(Described):
    """Convolutions on two images, as in SfMLearner (arXiv 1704.07813). For training on videos; it is not exported.

    Args:
        widths: channels of each convolution, all with stride 2.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128, 256, 256, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, (before, width) in enumerate(zip((6, *widths), widths, strict=False)):
            kernel = 7 if place == 0 else 5 if place == 1 else 3
            layers += [nn.Conv2d(before, width, kernel, stride=2, padding=kernel // 2), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 6, 1)

    def forward(self, image: Tensor, view: Tensor) -> Tensor:
        """Predict poses.

        Args:
            image: RGB in [0, 1], (B, 3, H, W).
            view: another image of the same camera, likewise.

        Returns:
            Pose from the camera coordinates of ``image`` to those of ``view``, (B, 4, 4). Its translation has the unit
            of the depth that it is trained with.
        """
        features = self.layers(torch.cat([image, view], 1) * 2 - 1)
        motion = _SCALE * self.head(features).mean((2, 3)).float()  # (B, 6): rotation in radians, translation
        return _to_matrix(motion)


def _to_matrix(motion: Tensor) -> Tensor:
    """Rotation vectors and translations, (B, 6) -> matrices, (B, 4, 4), the exponential of the twist."""
    zero = torch.zeros_like(motion[:, 0])
    x, y, z, *along = motion.unbind(1)
    rows = [[zero, -z, y, along[0]], [z, zero, -x, along[1]], [-y, x, zero, along[2]], [zero] * 4]
    poses: Tensor = torch.linalg.matrix_exp(torch.stack([torch.stack(row, 1) for row in rows], 1))
    return poses
