"""KITTI calibration files, and LiDAR scans as sparse depth maps."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.reader import CorruptFrameError

LidarDepth = Literal["camera_z", "forward_x"]
Matrix = NDArray[np.float64]


class Calibration(NamedTuple):
    """Calibration of one camera on one recording date.

    Attributes:
        velo_to_image: projection matrix, (3, 4), from homogeneous LiDAR coordinates in metres to (u z, v z, z) in
            pixels and metres.
        intrinsics: float32, (3, 3), pixels.
    """

    velo_to_image: Matrix
    intrinsics: NDArray[np.float32]


def read_calibration(folder: Path, camera: int) -> Calibration:
    """Read ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt`` of a date.

    Args:
        folder: folder of the recording date.
        camera: 2 (left) or 3 (right).

    Raises:
        CorruptFrameError: a file or a matrix is missing or corrupt.
    """
    cameras, velo = (_read_matrices(folder / f"calib_{name}.txt") for name in ("cam_to_cam", "velo_to_cam"))
    try:
        projection = cameras[f"P_rect_{camera:02d}"].reshape(3, 4)
        rectification, velo_to_cam = np.eye(4), np.eye(4)
        rectification[:3, :3] = cameras["R_rect_00"].reshape(3, 3)
        velo_to_cam[:3, :3] = velo["R"].reshape(3, 3)
        velo_to_cam[:3, 3] = velo["T"].reshape(3)
    except (KeyError, ValueError) as error:
        raise CorruptFrameError(f"{folder}: missing or corrupt matrix in the calibration ({error})") from error
    if not all(np.isfinite(matrix).all() for matrix in (projection, rectification, velo_to_cam)):
        raise CorruptFrameError(f"{folder}: the calibration has values that are not finite")
    return Calibration(projection @ rectification @ velo_to_cam, projection[:, :3].astype(np.float32))


def read_scan(path: Path) -> NDArray[np.float32]:
    """Read a Velodyne scan, (N, 4): x (forward), y (left) and z (up) in metres, and reflectance.

    Raises:
        CorruptFrameError: the file is missing or corrupt.
    """
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such LiDAR scan")
    if path.stat().st_size % 16 or not path.stat().st_size:
        raise CorruptFrameError(
            f"{path}: a scan has four float32 values per point, but this file has {path.stat().st_size} bytes"
        )
    points = np.fromfile(path, dtype=np.float32).reshape(-1, 4)
    if not np.isfinite(points).all():
        raise CorruptFrameError(f"{path}: the scan has values that are not finite")
    return points


def project(
    scan: NDArray[np.float32], velo_to_image: Matrix, size: tuple[int, int], kind: LidarDepth
) -> NDArray[np.float32]:
    """Project a scan into an image, as for the Eigen ground truth (``generate_depth_map`` of monodepth2).

    Points behind the scanner are dropped. Pixel coordinates are rounded and reduced by one, as KITTI's are 1-based. A
    pixel with several points gets the nearest.

    Args:
        scan: LiDAR points, (N, 4).
        velo_to_image: projection matrix, (3, 4), see :class:`Calibration`.
        size: (height, width) of the image.
        kind: ``camera_z`` (depth along the optical axis, for training) or ``forward_x`` (forward coordinate of the
            LiDAR, as in the published Eigen ground truth).

    Returns:
        Depth in metres, float32, (height, width), 0 in pixels without a point.
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
    """Read lines ``name: numbers``. Lines without numbers (the calibration time) are skipped."""
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
