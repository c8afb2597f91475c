"""KITTI: raw recordings and the annotated depth maps of the depth benchmark (arXiv 1708.06500)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from datamodules.contract import Truth
from datamodules.depth_io import read_kitti_depth
from datamodules.image_files import read_image
from datamodules.lidar import LidarDepth, project, read_camera, read_scan, read_velo_to_cam, stereo_pose
from datamodules.lists import Names, inside, read_list, shown
from datamodules.neighbours import as_sides, require_neighbours
from datamodules.reader import (
    CorruptFrameError,
    Frame,
    Licence,
    Neighbour,
    Reader,
    data_path,
    require_folder,
    scene_name,
)

Depth = Literal["camera_z", "forward_x", "annotated", "none"]

_TRUTHS: dict[Depth, Truth] = {
    "camera_z": "lidar_z",
    "forward_x": "lidar_x",
    "annotated": "annotated",
    "none": "none",
}
_SMALLEST_BASELINE = 0.01  # metres
_CAMERAS = {"l": 2, "2": 2, "r": 3, "3": 3}
_IMAGE = re.compile(r"\d{10}\.(?:png|jpg)")
_BTS_IMAGE = re.compile(r"/?([^/]+/[^/]+_sync)/image_0([23])/data/(\d+)\.(?:png|jpg)")


class _Entry(NamedTuple):
    image: Path
    truth: Path | None  # a LiDAR scan or a depth PNG; None if the frame has no ground truth
    calibration: Path
    camera: int
    neighbours: tuple[tuple[int, Path], ...] = ()  # camera and image of each


class KittiRaw(Reader):
    """Street images with LiDAR or annotated depth, all or those listed in a split file.

    Images may be scaled: calibration is adapted from its own image size (``S_rect``) to that of each image.

    Two line formats are supported. monodepth2: ``2011_09_26/2011_09_26_drive_0022_sync 473 l``, which is drive, frame
    number (zero-padded or not) and camera (``l`` or ``2``, ``r`` or ``3``). bts: ``<image> <depth> <focal length>``. If
    the depth is ``None``, the frame has no annotated ground truth, and evaluation counts it as missing.

    Args:
        root: folder that contains the recording dates, relative to the data root.
        split: split file, relative to the data root; by default all frames of both cameras that have the chosen depth.
            ``pocketdepth data list`` writes split files that share no drive.
        depth: ``camera_z`` (one LiDAR scan, depth along the optical axis, for training), ``forward_x`` (one LiDAR scan,
            forward coordinate of the LiDAR, as in the published Eigen ground truth), ``annotated`` (accumulated scans
            of the depth benchmark) or ``none`` (images only, no LiDAR files needed).
        annotated: folder of the annotated depth, relative to the data root; ``root`` by default. Files are searched in
            ``{train,val}/<drive>/proj_depth/groundtruth/``, ``<drive>/proj_depth/groundtruth/`` and the folder of the
            raw drive.
        neighbours: other views, for training without ground truth: ``stereo`` (the other camera, with its pose),
            ``previous`` and ``next`` (the same camera one frame earlier and later, if that image exists).

    Raises:
        FileNotFoundError: a folder or the split file is missing, or there are no frames, or none has a neighbour.
        ValueError: a line has another format or leads out of ``root``, the split file is empty, or a neighbour is
            unknown.
    """

    layout = (
        "KITTI raw: <date>/<date>_drive_XXXX_sync/{image_02,image_03}/data/%010d.png (or .jpg), velodyne_points/data/"
        "%010d.bin, <date>/calib_*.txt; annotated depth in "
        "{train,val}/<drive>/proj_depth/groundtruth/image_02/%010d.png, "
        "<drive>/proj_depth/... or inside the raw drive's folder"
    )
    licence = Licence("KITTI", "CC BY-NC-SA 3.0", False)

    def __init__(
        self,
        root: str,
        split: str | None = None,
        depth: Depth = "camera_z",
        annotated: str | None = None,
        neighbours: Names = (),
    ) -> None:
        self.root, self.split, self.depth = data_path(root), None if split is None else data_path(split), depth
        self.annotated = self.root if annotated is None else data_path(annotated)
        self.truth = _TRUTHS[depth]
        self.neighbours = as_sides(neighbours)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        if self.depth == "annotated":
            require_folder(self.annotated, self.layout)
        if self.split is None:
            entries = self._all_entries()
        else:
            entries = [self._entry(*self._parse(fields, self.split)) for fields in read_list(self.split)]
        if self.neighbours:
            require_neighbours(self, [len(entry.neighbours) for entry in entries])
        return entries

    def scene(self, entry: _Entry) -> str:
        return scene_name(entry.image.parents[2])

    def has_depth(self, entry: _Entry) -> bool:
        return entry.truth is not None

    def files(self, entry: _Entry) -> list[Path]:
        return [*super().files(entry), *(image for _, image in entry.neighbours)]

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        size = (image.shape[0], image.shape[1])
        camera = _camera(entry.calibration, entry.camera).at_size(size, entry.image)
        if entry.truth is None:
            depth = np.zeros(size, dtype=np.float32)
        elif self.depth == "annotated":
            depth = read_kitti_depth(entry.truth)
        else:
            kind: LidarDepth = "camera_z" if self.depth == "camera_z" else "forward_x"
            depth = project(read_scan(entry.truth), camera.projection @ _velo_to_cam(entry.calibration), size, kind)
        neighbours = tuple(self._neighbour(entry, each, path) for each, path in entry.neighbours)
        return Frame(image, depth, camera.intrinsics, "real", entry.image, neighbours=neighbours)

    def _neighbour(self, entry: _Entry, number: int, path: Path) -> Neighbour:
        image = read_image(path)
        camera = _camera(entry.calibration, number).at_size((image.shape[0], image.shape[1]), path)
        pose = None if number == entry.camera else stereo_pose(_camera(entry.calibration, entry.camera), camera)
        if pose is not None and not np.linalg.norm(pose[:3, 3]) > _SMALLEST_BASELINE:
            raise CorruptFrameError(f"{entry.calibration}: cameras 2 and 3 are at the same place: no baseline")
        return Neighbour(image, camera.intrinsics, pose)

    def __str__(self) -> str:
        return f"KITTI {self.depth} {self.root.name if self.split is None else self.split.stem}"

    def _all_entries(self) -> list[_Entry]:
        entries = [
            self._entry("/".join(folder.parts[-4:-2]), number, int(folder.parts[-2][-1]), True)
            for folder in sorted(self.root.glob("[!.]*/[!.]*_sync/image_0[23]/data"))
            for number in sorted({int(image.stem) for image in folder.iterdir() if _IMAGE.fullmatch(image.name)})
        ]
        if self.depth == "none":
            return entries
        return [entry for entry in entries if entry.truth is not None and entry.truth.is_file()]

    def _entry(self, drive: str, number: int, camera: int, labelled: bool) -> _Entry:
        folder = self.root / drive
        truth = None
        if self.depth == "annotated" and labelled:
            truth = self._annotated(folder, Path(f"image_{camera:02d}", f"{number:010d}.png"))
        elif self.depth in ("camera_z", "forward_x"):
            truth = folder / "velodyne_points" / "data" / f"{number:010d}.bin"
        views = [
            (5 - camera if side == "stereo" else camera, number + offset) for side, offset in self.neighbours.items()
        ]
        images = [(each, _image(folder, each, frame)) for each, frame in views]
        neighbours = tuple((each, path) for each, path in images if each != camera or path.is_file())
        return _Entry(_image(folder, camera, number), truth, folder.parent, camera, neighbours)

    def _annotated(self, drive: Path, name: Path) -> Path:
        """The first existing candidate; the first candidate if none exists."""
        places = [self.annotated / split / drive.name for split in ("train", "val", "")] + [drive]
        files = [place / "proj_depth" / "groundtruth" / name for place in places]
        return next((file for file in files if file.is_file()), files[0])

    def _parse(self, fields: list[str], split: Path) -> tuple[str, int, int, bool]:
        """Fields of a line -> drive, frame number, camera, and whether the frame has annotated depth."""
        try:
            if len(fields) == 3 and (image := _BTS_IMAGE.fullmatch(fields[0])):
                drive, number, camera, labelled = image[1], int(image[3]), int(image[2]), fields[1] != "None"
            else:
                drive, frame, side = fields
                number, camera, labelled = int(frame), _CAMERAS[side], True
        except (ValueError, KeyError):
            raise ValueError(
                f"{split}: {shown(' '.join(fields))} is neither monodepth2's '<date>/<drive> <frame> <l or r>' nor "
                "bts's '<date>/<drive>/image_02/data/<frame>.png <depth or None> <focal>'; is it a split file of "
                "another data set?"
            ) from None
        inside(self.root, drive, split)
        return drive, number, camera, labelled


def _image(drive: Path, camera: int, number: int) -> Path:
    png = drive / f"image_{camera:02d}" / "data" / f"{number:010d}.png"
    jpg = png.with_suffix(".jpg")
    return jpg if jpg.is_file() and not png.is_file() else png


_camera, _velo_to_cam = cache(read_camera), cache(read_velo_to_cam)
