"""Virtual KITTI: 2.0.3 (arXiv 2001.10773) and 1.3.1 (arXiv 1605.06457)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.contract import problem_of_camera
from datamodules.depth_io import read_vkitti_depth
from datamodules.folders import list_folder
from datamodules.geometry import require_centred, to_size
from datamodules.image_files import read_image
from datamodules.lists import Names, as_names, read_text
from datamodules.reader import (
    CorruptFrameError,
    Frame,
    Licence,
    Reader,
    data_path,
    pinhole,
    require_folder,
    scene_name,
)
from datamodules.renders import licence_of_renders

log = logging.getLogger(__name__)

Beyond = Literal["mask", "clamp"]
SKY = 655.35  # metres
SIZE = (375, 1242)  # of the published frames, (height, width)
_CAMERA = pinhole(725.0087, 725.0087, 620.5, 187)  # of Virtual KITTI 2
_CAMERA1 = pinhole(725, 725, 620.5, 187)


class _Entry(NamedTuple):
    image: Path
    depth: Path
    camera: Path  # intrinsic.txt, or an existing folder if there is no such file
    scene: Path
    intrinsics: NDArray[np.float32] | None


class VirtualKitti(Reader):
    """Rendered street scenes with exact depth, Virtual KITTI 2.0.3.

    Supports three layouts: one merged tree, ``vkitti_2.0.3_{rgb,depth,textgt}/`` and ``{rgb,depth,textgt}/``. Without
    ``textgt``, frames use the published intrinsics of Virtual KITTI 2. Split by scene, never by frame: neighbouring
    frames are nearly identical.

    ``intrinsic.txt`` does not state its image size. The published intrinsics are scaled from 1242x375 to the size of
    the images. Others must have their principal point at most 5 % from the centre of the images.

    Args:
        root: folder, relative to the data root.
        scenes: scenes to read, e.g. ``[Scene01, Scene02]``, ``Scene01`` or ``1-120``, by number; all by default.
        variations: weather and view variations to read, e.g. ``clone``, ``fog``; all by default.
        cameras: cameras to read, 0 (left) and 1 (right).
        max_depth: maximum depth in metres.
        beyond: treatment of the sky and of depth beyond ``max_depth``: ``mask`` (unknown) or ``clamp``.
        exclude: frames to exclude from all variations, e.g. ``Scene01/11``.

    Raises:
        FileNotFoundError: a folder, scene or variation is missing or has no frames.
        ValueError: ``max_depth`` is not between 0 and the depth of the sky, or ``scenes`` has an invalid range.
    """

    layout = (
        "Virtual KITTI 2.0.3: SceneXX/<variation>/frames/{rgb,depth}/Camera_{0,1}/{rgb_%05d.jpg,depth_%05d.png} and "
        "intrinsic.txt, as one tree or below vkitti_2.0.3_{rgb,depth,textgt}/ or {rgb,depth,textgt}/"
    )
    truth = "rendered"
    licence = Licence("Virtual KITTI 2, unless these are other renders in its layout", "CC BY-NC-SA 3.0", False)

    def __init__(
        self,
        root: str,
        scenes: Names | None = None,
        variations: Names | None = None,
        cameras: Sequence[int] | int = (0,),
        max_depth: float = 80.0,
        beyond: Beyond = "mask",
        exclude: Names = (),
    ) -> None:
        self.root, self.scenes, self.variations = data_path(root), as_names(scenes, "Scene{:02d}"), as_names(variations)
        self.cameras = (cameras,) if isinstance(cameras, int) else cameras
        self.max_depth, self.beyond, self.exclude = _check_max_depth(max_depth), beyond, as_names(exclude) or []
        self.licence = licence_of_renders(self.root) or self.licence

    def scan(self) -> list[_Entry]:
        entries = self._all_entries()
        numbers = [
            f"{entry.scene.name}/{entry.image.stem.removeprefix('rgb_').lstrip('0') or '0'}" for entry in entries
        ]
        absent = sorted(set(self.exclude) - set(numbers))
        if absent:
            log.warning("%s: exclude names %s, which is not a frame of this data set", self, ", ".join(absent))
        return [entry for entry, number in zip(entries, numbers, strict=True) if number not in self.exclude]

    def _all_entries(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        rgb, depth, text = (self._tree(kind) for kind in ("rgb", "depth", "textgt"))
        entries = []
        for scene in _choose(rgb, "Scene*", self.scenes, self.layout):
            for variation in _choose(rgb / scene, "*", self.variations, self.layout):
                frames = Path(scene, variation, "frames")
                table = text / scene / variation / "intrinsic.txt"
                intrinsics = _read_intrinsics(table)
                for camera in self.cameras:
                    for image in _images(rgb / frames / "rgb" / f"Camera_{camera}", "rgb_*.jpg", self.layout):
                        number = image.stem.removeprefix("rgb_")
                        truth = depth / frames / "depth" / f"Camera_{camera}" / f"depth_{number}.png"
                        known = intrinsics.get((int(number), camera)) if number.isdecimal() else None
                        entries.append(_Entry(image, truth, table if table.is_file() else rgb, rgb / scene, known))
        return entries

    def scene(self, entry: _Entry) -> str:
        return scene_name(self.root, entry.scene)

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        intrinsics = self._intrinsics(entry, (image.shape[0], image.shape[1]))
        depth = _cap_depth(read_vkitti_depth(entry.depth), self.max_depth, self.beyond)
        return Frame(image, depth, intrinsics, "synthetic", entry.image)

    def _intrinsics(self, entry: _Entry, size: tuple[int, int]) -> NDArray[np.float32]:
        known = entry.intrinsics
        if entry.camera.is_dir():
            return to_size(_CAMERA, SIZE, size, f"{entry.image} (without intrinsic.txt)")
        if known is None:
            raise CorruptFrameError(f"{entry.image}: no intrinsics for this frame and camera in intrinsic.txt")
        if problem := problem_of_camera(known):
            raise CorruptFrameError(f"{entry.image}: {entry.camera}: {problem}")
        if np.allclose(known, _CAMERA, rtol=0, atol=0.01):
            return to_size(known, SIZE, size, entry.image)
        require_centred(known, size, entry.image)
        return known

    def _tree(self, kind: str) -> Path:
        candidates = (self.root / f"vkitti_2.0.3_{kind}", self.root / kind)
        return next((folder for folder in candidates if folder.is_dir()), self.root)


class VirtualKitti1(Reader):
    """Rendered street scenes with exact depth, Virtual KITTI 1.3.1. All frames have the same camera.

    Args:
        root: folder that contains ``vkitti_1.3.1_rgb`` and ``vkitti_1.3.1_depthgt``, relative to the data root.
        worlds: worlds to read, e.g. ``["0001"]`` or ``1-2``, by number; all by default. Without quotes, YAML reads 0020
            as the number 16.
        variations: weather and view variations to read, e.g. ``clone``, ``15-deg-left``; all by default.
        max_depth: maximum depth in metres.
        beyond: treatment of the sky and of depth beyond ``max_depth``: ``mask`` (unknown) or ``clamp``.

    Raises:
        FileNotFoundError: a folder, world or variation is missing or has no frames.
        ValueError: ``max_depth`` is not between 0 and the depth of the sky, or ``worlds`` has an invalid range.
    """

    layout = "Virtual KITTI 1.3.1: vkitti_1.3.1_{rgb,depthgt}/<world>/<variation>/%05d.png"
    truth = "rendered"
    licence = Licence("Virtual KITTI 1.3.1", "CC BY-NC-SA 3.0", False)

    def __init__(
        self,
        root: str,
        worlds: Names | None = None,
        variations: Names | None = None,
        max_depth: float = 80.0,
        beyond: Beyond = "mask",
    ) -> None:
        self.root, self.worlds, self.variations = data_path(root), as_names(worlds, "{:04d}"), as_names(variations)
        self.max_depth, self.beyond = _check_max_depth(max_depth), beyond

    def scan(self) -> list[_Entry]:
        rgb, depth = (self.root / f"vkitti_1.3.1_{kind}" for kind in ("rgb", "depthgt"))
        require_folder(rgb, self.layout)
        return [
            _Entry(image, depth / image.relative_to(rgb), rgb / world, rgb / world, _CAMERA1)
            for world in _choose(rgb, "[0-9]*", self.worlds, self.layout)
            for variation in _choose(rgb / world, "*", self.variations, self.layout)
            for image in _images(rgb / world / variation, "*.png", self.layout)
        ]

    def scene(self, entry: _Entry) -> str:
        return scene_name(self.root, entry.scene)

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        intrinsics = to_size(_CAMERA1, SIZE, (image.shape[0], image.shape[1]), entry.image)
        depth = _cap_depth(read_vkitti_depth(entry.depth), self.max_depth, self.beyond)
        return Frame(image, depth, intrinsics, "synthetic", entry.image)


def _cap_depth(depth: NDArray[np.float32], max_depth: float, beyond: Beyond) -> NDArray[np.float32]:
    kind = cv2.THRESH_TRUNC if beyond == "clamp" else cv2.THRESH_TOZERO_INV
    return np.asarray(cv2.threshold(depth, max_depth, 0, kind, dst=depth)[1])


def _images(folder: Path, pattern: str, layout: str) -> list[Path]:
    images = list_folder(folder, pattern)
    if not images:
        raise FileNotFoundError(f"{folder}: no {pattern} in it; looked for {layout}")
    return images


def _check_max_depth(max_depth: float) -> float:
    if not 0 < max_depth < SKY:
        raise ValueError(f"max_depth {max_depth} is not between 0 and {SKY} m, the depth of the sky")
    return max_depth


def _choose(folder: Path, pattern: str, wanted: Sequence[str] | None, layout: str) -> list[str]:
    found = [path.name for path in list_folder(folder, pattern) if path.is_dir()]
    missing = sorted(set(wanted or ()) - set(found))
    if missing or not found:
        what = ", ".join(missing) or pattern
        octal = [f"{int(name):04o}" for name in missing if name.isdecimal()]
        quotes = "".join(f"; write '{name}' in quotes, which YAML reads as octal" for name in octal if name in found)
        raise FileNotFoundError(
            f"{folder}: no {what}; found {', '.join(found) or 'nothing'}{quotes}; looked for {layout}"
        )
    return [name for name in found if wanted is None or name in wanted]


def _read_intrinsics(path: Path) -> dict[tuple[int, int], NDArray[np.float32]]:
    """Read (frame, camera) -> K from the columns frame, cameraID, K[0,0], K[1,1], K[0,2], K[1,2]; empty if missing."""
    table: dict[tuple[int, int], NDArray[np.float32]] = {}
    try:
        text = read_text(path) if path.is_file() else ""
    except ValueError:
        return table
    for line in text.splitlines()[1:]:
        try:
            frame, camera, fx, fy, cx, cy = line.split()[:6]
            table[int(frame), int(camera)] = pinhole(float(fx), float(fy), float(cx), float(cy))
        except ValueError:
            continue  # reading the frame raises CorruptFrameError: it has no intrinsics
    return table
