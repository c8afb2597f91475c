"""KITTI's calibration, and LiDAR points as a sparse depth image."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.reader import CorruptFrameError

LidarDepth = Literal["camera_z", "forward_x"]
Matrix = NDArray[np.float64]


class Calibration(NamedTuple):
    """One camera of one recording date.

    Attributes:
        velo_to_image: LiDAR metres, homogeneous -> pixels times z, (3, 4).
        intrinsics: (3, 3), pixels.
    """

    velo_to_image: Matrix
    intrinsics: NDArray[np.float32]


def read_calibration(folder: Path, camera: int) -> Calibration:
    """Read ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt`` of a date for camera 2 (left) or 3 (right).

    Raises:
        CorruptFrameError: a file or a matrix is missing.
    """
    cameras, velo = (_read_matrices(folder / f"calib_{name}.txt") for name in ("cam_to_cam", "velo_to_cam"))
    try:
        projection = cameras[f"P_rect_{camera:02d}"].reshape(3, 4)
        rectification, velo_to_cam = np.eye(4), np.eye(4)
        rectification[:3, :3] = cameras["R_rect_00"].reshape(3, 3)
        velo_to_cam[:3, :3] = velo["R"].reshape(3, 3)
        velo_to_cam[:3, 3] = velo["T"].reshape(3)
    except (KeyError, ValueError) as error:
        raise CorruptFrameError(f"{folder}: calibration without a usable {error}") from error
    if not all(np.isfinite(matrix).all() for matrix in (projection, rectification, velo_to_cam)):
        raise CorruptFrameError(f"{folder}: a number of its calibration is not finite")
    return Calibration(projection @ rectification @ velo_to_cam, projection[:, :3].astype(np.float32))


def read_scan(path: Path) -> NDArray[np.float32]:
    """Read a Velodyne scan: (N, 4), forward x, left y, up z in metres, and reflectance. Raises CorruptFrameError."""
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such LiDAR scan")
    if path.stat().st_size % 16 or not path.stat().st_size:
        raise CorruptFrameError(f"{path}: a scan holds four float32 a point, this one has {path.stat().st_size} bytes")
    points = np.fromfile(path, dtype=np.float32).reshape(-1, 4)
    if not np.isfinite(points).all():
        raise CorruptFrameError(f"{path}: a coordinate is not finite")
    return points


def project(
    scan: NDArray[np.float32], velo_to_image: Matrix, size: tuple[int, int], kind: LidarDepth
) -> NDArray[np.float32]:
    """Project a scan into an image, as the Eigen ground truth is made (monodepth2's ``generate_depth_map``).

    Points behind the scanner are dropped, pixels are rounded less one (KITTI counts from 1), and where two points meet
    the nearest wins.

    Args:
        scan: (N, 4).
        velo_to_image: (3, 4).
        size: (height, width).
        kind: ``camera_z``, depth along the camera's axis, for training; ``forward_x``, the LiDAR's own forward
            coordinate, which the published Eigen ground truth holds.

    Returns:
        float32 metres, (height, width), 0 where there is no point.
    """
    points = scan[scan[:, 0] >= 0].astype(np.float64)
    u, v, z = velo_to_image[:, :3] @ points[:, :3].T + velo_to_image[:, 3:]
    metres = z if kind == "camera_z" else points[:, 0]
    height, width = size
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = np.rint(u / z) - 1, np.rint(v / z) - 1
    seen = (z > 0) & (metres > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = (row[seen] * width + column[seen]).astype(np.int64)
    depth = metres[seen].astype(np.float32)
    image = np.zeros(height * width, dtype=np.float32)
    image[place] = depth
    while (nearer := depth < image[place]).any():
        image[place[nearer]] = depth[nearer]
    return image.reshape(size)


def _read_matrices(path: Path) -> dict[str, Matrix]:
    """``name: numbers`` a line; what is not a number (the time of calibration) is left out."""
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such calibration file")
    matrices = {}
    for line in path.read_text(errors="replace").splitlines():
        name, _, values = line.partition(":")
        try:
            matrices[name] = np.array(values.split(), dtype=np.float64)
        except ValueError:
            continue
    return matrices
