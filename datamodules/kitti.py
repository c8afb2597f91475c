"""KITTI raw recordings."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from datamodules.depth_io import read_image
from datamodules.lidar import project, read_calibration, read_scan
from datamodules.reader import Frame, Reader, data_path, require_folder

LAYOUT = "KITTI raw: <date>/<date>_drive_XXXX_sync/image_02/data/%010d.png (or .jpg)"
_CAMERAS = {"l": 2, "2": 2, "r": 3, "3": 3}


class _Entry(NamedTuple):
    image: Path
    scan: Path
    calibration: Path
    camera: int


class KittiRaw(Reader):
    """Photographs of streets with LiDAR depth, named by a list in monodepth2's format.

    A line of the list is ``2011_09_26/2011_09_26_drive_0022_sync 473 l``: drive, frame (zeros before it or not) and
    side (l or 2, r or 3).

    Args:
        root: folder of the dates, relative to the data root.
        split: the list, relative to the data root.
        depth: ``camera_z`` (depth along the camera's axis, for training), ``forward_x`` (what the Eigen ground truth
            holds, for ``kitti-eigen``) or ``none`` (photographs only; no LiDAR is needed).

    Raises:
        FileNotFoundError: no such folder or list, or images of the list that are not there.
        ValueError: a line that is not in monodepth2's format, or an empty list.
    """

    def __init__(self, root: str, split: str, depth: Literal["camera_z", "forward_x", "none"] = "camera_z") -> None:
        self.root, self.split, self.depth = data_path(root), data_path(split), depth

    def scan(self) -> list[_Entry]:
        require_folder(self.root, LAYOUT)
        if not self.split.is_file():
            raise FileNotFoundError(f"{self.split}: no such list of frames")
        lines = [line.split() for line in self.split.read_text().splitlines() if line.strip()]
        if not lines:
            raise ValueError(f"{self.split}: the list is empty")
        entries = [self._entry(line) for line in lines]
        absent = [entry.image for entry in entries if not entry.image.is_file()]
        if absent:
            shown = ", ".join(str(path.relative_to(self.root)) for path in absent[:3])
            raise FileNotFoundError(
                f"{self.split}: {len(absent)} of its {len(entries)} images are not in {self.root}: {shown}"
                f"{', ...' if len(absent) > 3 else ''}; looked for {LAYOUT}"
            )
        return entries

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        height, width = image.shape[:2]
        calibration = _calibration(entry.calibration, entry.camera)
        depth = np.zeros((height, width), dtype=np.float32)
        if self.depth != "none":
            scan = read_scan(entry.scan)
            depth = project(scan, calibration.velo_to_image, (height, width), self.depth).astype(np.float32)
        return Frame(image, depth, calibration.intrinsics, "real", entry.image)

    def _entry(self, line: list[str]) -> _Entry:
        try:
            drive, number, side = line
            frame, camera = f"{int(number):010d}", _CAMERAS[side]
        except (ValueError, KeyError):
            raise ValueError(f"{self.split}: {' '.join(line)!r} is not '<date>/<drive> <frame> <l or r>'") from None
        folder = self.root / drive
        png = folder / f"image_{camera:02d}" / "data" / f"{frame}.png"
        jpg = png.with_suffix(".jpg")
        scan = folder / "velodyne_points" / "data" / f"{frame}.bin"
        return _Entry(jpg if jpg.is_file() and not png.is_file() else png, scan, folder.parent, camera)


_calibration = cache(read_calibration)
