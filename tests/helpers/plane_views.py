"""Views of a textured plane from cameras of known pose: their images and depth are exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def plane_view(
    intrinsics: Matrix, pose: Matrix, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Image, (H, W, 3), and depth, (H, W), of a wall 8 m before the first camera, turned by a quarter.

    Args:
        intrinsics: of this camera, (3, 3).
        pose: from the coordinates of the first camera to those of this one, (4, 4).
        size: (height, width).
    """
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    rays = np.linalg.inv(intrinsics) @ np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)])  # (3, H W)
    back = np.linalg.inv(pose)
    normal = np.array([-0.4, 0.1, 1.0])  # the plane is normal @ point = 8 in the first camera
    depth = (8 - normal @ back[:3, 3]) / (normal @ back[:3, :3] @ rays)
    points = back[:3, :3] @ (rays * depth) + back[:3, 3:]
    waves = [np.sin(1.5 * points[0] + phase) + np.sin(1.1 * points[1] - phase) for phase in range(3)]
    image = (127.5 + 60 * np.stack(waves, -1)).round().astype(np.uint8)
    return image.reshape(*size, 3), depth.reshape(size).astype(np.float32)


def pose_of(turn: Matrix, along: tuple[float, float, float]) -> Matrix:
    """Pose, (4, 4), of a rotation, (3, 3), and a translation in metres."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, along
    return pose
