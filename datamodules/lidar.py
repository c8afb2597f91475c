"""KITTI calibration files, and LiDAR scans as sparse depth maps."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.contract import MAX_DEPTH, problem_of_camera
from datamodules.geometry import require_centred, resize_scale, to_size
from datamodules.lists import read_text
from datamodules.reader import CorruptFrameError

LidarDepth = Literal["camera_z", "forward_x"]
Matrix = NDArray[np.float64]

_MAX_SCAN_MB = 64  # a scan of the HDL-64E has 2 MB
_MAX_SHIFT = 10.0  # metres between the sensors of one car
_NOT_ORTHOGONAL = 1e-3  # KITTI writes six digits


class Camera(NamedTuple):
    """A rectified camera of one recording date.

    Attributes:
        projection: matrix, (3, 4), from homogeneous coordinates of camera 0 in metres to (u z, v z, z) in pixels and
            metres; u and v are 1-based.
        intrinsics: float32, (3, 3), pixels.
        size: (height, width) of the images that both are for; None if the file does not state it.
    """

    projection: Matrix
    intrinsics: NDArray[np.float32]
    size: tuple[int, int] | None

    def at_size(self, size: tuple[int, int], image: Path) -> Camera:
        """The camera of an image of another size.

        Raises:
            CorruptFrameError: the image is not a scaled image of this camera.
        """
        if self.size is None:
            require_centred(self.intrinsics, size, image)
        if self.size is None or self.size == size:
            return self
        x, y = resize_scale(self.size, size, image)
        to_pixels = np.array([[x, 0, (1 - x) / 2], [0, y, (1 - y) / 2], [0, 0, 1]])  # 1-based: u -> x (u - 0.5) + 0.5
        return Camera(to_pixels @ self.projection, to_size(self.intrinsics, self.size, size, image), size)


def read_camera(folder: Path, camera: int) -> Camera:
    """Read a camera, 2 (left) or 3 (right), from ``calib_cam_to_cam.txt`` of a date.

    Raises:
        CorruptFrameError: the file or a matrix is missing or corrupt.
    """
    path = folder / "calib_cam_to_cam.txt"
    values = _read_values(path)
    projection = _matrix(path, values, f"P_rect_{camera:02d}", (3, 4))
    intrinsics = projection[:, :3].astype(np.float32)
    if problem := problem_of_camera(intrinsics):
        raise CorruptFrameError(f"{path}: P_rect_{camera:02d}: {problem}")
    if not abs(projection[:, 3] / projection[[0, 1, 2], [0, 1, 2]]).max() < _MAX_SHIFT:
        raise CorruptFrameError(f"{path}: P_rect_{camera:02d} is more than {_MAX_SHIFT:g} m away from camera 0")
    rectification = np.eye(4)
    rectification[:3, :3] = _rotation(path, values, "R_rect_00")
    size = None
    if (name := f"S_rect_{camera:02d}") in values:
        width, height = _matrix(path, values, name, (2,)).tolist()
        size = (round(height), round(width))
        if not (0 <= intrinsics[0, 2] < width and 0 <= intrinsics[1, 2] < height):
            raise CorruptFrameError(f"{path}: the principal point of P_rect_{camera:02d} is outside of {name}")
    return Camera(projection @ rectification, intrinsics, size)


def stereo_pose(left: Camera, right: Camera) -> NDArray[np.float32]:
    """Pose, (4, 4), metres, from the coordinates of one rectified camera of a date to those of another."""
    places = [
        np.linalg.solve(each.intrinsics.astype(np.float64), each.projection[:, 3]) for each in (left, right)
    ]  # of camera 0's origin
    pose = np.eye(4, dtype=np.float32)
    pose[:3, 3] = places[1] - places[0]
    return pose


def read_velo_to_cam(folder: Path) -> Matrix:
    """Read ``calib_velo_to_cam.txt`` of a date: the matrix, (4, 4), from the LiDAR to camera 0, in metres.

    Raises:
        CorruptFrameError: the file or a matrix is missing or corrupt.
    """
    path = folder / "calib_velo_to_cam.txt"
    values, matrix = _read_values(path), np.eye(4)
    matrix[:3, :3] = _rotation(path, values, "R")
    matrix[:3, 3] = _matrix(path, values, "T", (3,))
    if not abs(matrix[:3, 3]).max() < _MAX_SHIFT:
        raise CorruptFrameError(f"{path}: T is more than {_MAX_SHIFT:g} m")
    return matrix


def read_scan(path: Path) -> NDArray[np.float32]:
    """Read a Velodyne scan, (N, 4): x (forward), y (left) and z (up) in metres, and reflectance.

    Raises:
        CorruptFrameError: the file is missing, too large or corrupt.
    """
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such LiDAR scan")
    size = path.stat().st_size
    if size % 16 or not size:
        raise CorruptFrameError(f"{path}: a scan has four float32 values per point, but this file has {size} bytes")
    if size > _MAX_SCAN_MB * 2**20:
        raise CorruptFrameError(f"{path}: has {size / 2**20:.0f} MB; a scan has at most {_MAX_SCAN_MB}")
    points = np.fromfile(path, dtype=np.float32).reshape(-1, 4)
    if not np.isfinite(points).all():
        raise CorruptFrameError(f"{path}: the scan has values that are not finite")
    if (farthest := abs(points[:, :3]).max()) > MAX_DEPTH:
        raise CorruptFrameError(f"{path}: the scan has a point at {farthest:g} m, more than {MAX_DEPTH:g}")
    return points


def project(
    scan: NDArray[np.float32], velo_to_image: Matrix, size: tuple[int, int], kind: LidarDepth
) -> NDArray[np.float32]:
    """Project a scan into an image, as for the Eigen ground truth (``generate_depth_map`` of monodepth2).

    Points behind the scanner are dropped. Pixel coordinates are rounded and reduced by one, as KITTI's are 1-based. A
    pixel with several points gets the nearest.

    Args:
        scan: LiDAR points, (N, 4).
        velo_to_image: matrix, (3, 4), from homogeneous LiDAR coordinates in metres to (u z, v z, z) in pixels and
            metres, with 1-based u and v.
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


def _read_values(path: Path) -> dict[str, Matrix]:
    """Read lines ``name: numbers``. Lines without numbers (the calibration time) are skipped."""
    if not path.is_file():
        raise CorruptFrameError(f"{path}: no such calibration file")
    try:
        text = read_text(path)
    except ValueError as error:
        raise CorruptFrameError(str(error)) from error
    values = {}
    for line in text.splitlines():
        name, _, numbers = line.partition(":")
        try:
            values[name] = np.array(numbers.split(), dtype=np.float64)
        except ValueError:
            continue
    return values


def _matrix(path: Path, values: dict[str, Matrix], name: str, shape: tuple[int, ...]) -> Matrix:
    value = values.get(name, np.empty(0))
    if value.size != np.prod(shape):
        raise CorruptFrameError(f"{path}: missing or corrupt {name} in the calibration")
    if not np.isfinite(value).all():
        raise CorruptFrameError(f"{path}: {name} of the calibration has values that are not finite")
    return value.reshape(shape)


def _rotation(path: Path, values: dict[str, Matrix], name: str) -> Matrix:
    matrix = _matrix(path, values, name, (3, 3))
    if abs(matrix @ matrix.T - np.eye(3)).max() > _NOT_ORTHOGONAL or np.linalg.det(matrix) < 0:
        raise CorruptFrameError(f"{path}: {name} of the calibration is not a rotation")
    return matrix
