"""Virtual KITTI: 2.0.3 (arXiv 2001.10773) and 1.3.1 (arXiv 1605.06457)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.contract import problem_of_camera
from datamodules.depth_io import read_vkitti_depth
from datamodules.geometry import require_centred, to_size
from datamodules.image_files import read_image
from datamodules.lists import Names, as_names
from datamodules.neighbours import as_sides, relative_pose, require_neighbours
from datamodules.reader import (
    CorruptFrameError,
    Frame,
    Licence,
    Neighbour,
    Reader,
    data_path,
    pinhole,
    require_folder,
    scene_name,
)
from datamodules.renders import licence_of_renders
from datamodules.vkitti_files import (
    Beyond,
    Table,
    cap_depth,
    check_max_depth,
    choose,
    find_frames,
    read_extrinsics,
    read_intrinsics,
)

log = logging.getLogger(__name__)

SIZE = (375, 1242)  # of the published frames, (height, width)
_CAMERA = pinhole(725.0087, 725.0087, 620.5, 187)  # of Virtual KITTI 2
_CAMERA1 = pinhole(725, 725, 620.5, 187)


class _Entry(NamedTuple):
    image: Path
    depth: Path
    camera: Path  # intrinsic.txt, or an existing folder if there is no such file
    scene: Path
    intrinsics: NDArray[np.float32] | None
    neighbours: tuple[_View, ...] = ()


class _View(NamedTuple):
    image: Path
    intrinsics: NDArray[np.float32] | None
    pose: NDArray[np.float32] | None


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
        neighbours: other views, with poses from ``extrinsic.txt``: ``stereo`` (the other camera), ``previous`` and
            ``next`` (the same camera one frame earlier and later, if there is one).

    Raises:
        FileNotFoundError: a folder, scene or variation is missing or has no frames, or no frame has a neighbour.
        ValueError: ``max_depth`` is not between 0 and the depth of the sky, ``scenes`` has an invalid range, or a
            neighbour is unknown.
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
        neighbours: Names = (),
    ) -> None:
        self.root, self.scenes, self.variations = data_path(root), as_names(scenes, "Scene{:02d}"), as_names(variations)
        self.cameras = (cameras,) if isinstance(cameras, int) else cameras
        self.max_depth, self.beyond, self.exclude = check_max_depth(max_depth), beyond, as_names(exclude) or []
        self.neighbours = as_sides(neighbours)
        self.licence = licence_of_renders(self.root) or self.licence

    def scan(self) -> list[_Entry]:
        entries = self._all_entries()
        numbers = [
            f"{entry.scene.name}/{entry.image.stem.removeprefix('rgb_').lstrip('0') or '0'}" for entry in entries
        ]
        absent = sorted(set(self.exclude) - set(numbers))
        if absent:
            log.warning("%s: exclude names %s, which is not a frame of this data set", self, ", ".join(absent))
        entries = [entry for entry, number in zip(entries, numbers, strict=True) if number not in self.exclude]
        if self.neighbours:
            require_neighbours(self, [len(entry.neighbours) for entry in entries])
        return entries

    def _all_entries(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        rgb, depth, text = (self._tree(kind) for kind in ("rgb", "depth", "textgt"))
        entries = []
        for scene in choose(rgb, "Scene*", self.scenes, self.layout):
            for variation in choose(rgb / scene, "*", self.variations, self.layout):
                frames = Path(scene, variation, "frames")
                table = text / scene / variation / "intrinsic.txt"
                intrinsics = read_intrinsics(table)
                extrinsics = read_extrinsics(table.with_name("extrinsic.txt")) if self.neighbours else {}
                for camera in self.cameras:
                    for image in find_frames(rgb / frames / "rgb" / f"Camera_{camera}", "rgb_*.jpg", self.layout):
                        number = image.stem.removeprefix("rgb_")
                        truth = depth / frames / "depth" / f"Camera_{camera}" / f"depth_{number}.png"
                        known = intrinsics.get((int(number), camera)) if number.isdecimal() else None
                        views = self._views(image, camera, intrinsics, extrinsics) if number.isdecimal() else ()
                        kept = table if table.is_file() else rgb
                        entries.append(_Entry(image, truth, kept, rgb / scene, known, views))
        return entries

    def scene(self, entry: _Entry) -> str:
        return scene_name(self.root, entry.scene)

    def files(self, entry: _Entry) -> list[Path]:
        return [*super().files(entry), *(view.image for view in entry.neighbours)]

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        intrinsics = self._intrinsics(entry, entry.image, entry.intrinsics, image.shape)
        depth = cap_depth(read_vkitti_depth(entry.depth), self.max_depth, self.beyond)
        neighbours = tuple(self._neighbour(entry, view) for view in entry.neighbours)
        return Frame(image, depth, intrinsics, "synthetic", entry.image, neighbours=neighbours)

    def _views(self, image: Path, camera: int, intrinsics: Table, extrinsics: Table) -> tuple[_View, ...]:
        """The neighbours of an image; at the ends of a recording there is no previous or no next one."""
        number, views = image.stem.removeprefix("rgb_"), []
        for side, offset in self.neighbours.items():
            frame, other = int(number) + offset, 1 - camera if side == "stereo" else camera
            path = image.parents[1] / f"Camera_{other}" / f"rgb_{frame:0{len(number)}d}.jpg"
            if offset and not path.is_file():
                continue
            own, its = extrinsics.get((int(number), camera)), extrinsics.get((frame, other))
            pose = None if own is None or its is None else relative_pose(own, its)
            views.append(_View(path, intrinsics.get((frame, other)), pose))
        return tuple(views)

    def _neighbour(self, entry: _Entry, view: _View) -> Neighbour:
        image = read_image(view.image)
        if view.pose is None:
            raise CorruptFrameError(f"{view.image}: no pose for it or for {entry.image.name} in extrinsic.txt")
        return Neighbour(image, self._intrinsics(entry, view.image, view.intrinsics, image.shape), view.pose)

    def _intrinsics(
        self, entry: _Entry, image: Path, known: NDArray[np.float32] | None, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        size = (shape[0], shape[1])
        if entry.camera.is_dir():
            return to_size(_CAMERA, SIZE, size, f"{image} (without intrinsic.txt)")
        if known is None:
            raise CorruptFrameError(f"{image}: no intrinsics for this frame and camera in intrinsic.txt")
        if problem := problem_of_camera(known):
            raise CorruptFrameError(f"{image}: {entry.camera}: {problem}")
        if np.allclose(known, _CAMERA, rtol=0, atol=0.01):
            return to_size(known, SIZE, size, image)
        require_centred(known, size, image)
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
        self.max_depth, self.beyond = check_max_depth(max_depth), beyond

    def scan(self) -> list[_Entry]:
        rgb, depth = (self.root / f"vkitti_1.3.1_{kind}" for kind in ("rgb", "depthgt"))
        require_folder(rgb, self.layout)
        return [
            _Entry(image, depth / image.relative_to(rgb), rgb / world, rgb / world, _CAMERA1)
            for world in choose(rgb, "[0-9]*", self.worlds, self.layout)
            for variation in choose(rgb / world, "*", self.variations, self.layout)
            for image in find_frames(rgb / world / variation, "*.png", self.layout)
        ]

    def scene(self, entry: _Entry) -> str:
        return scene_name(self.root, entry.scene)

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        intrinsics = to_size(_CAMERA1, SIZE, (image.shape[0], image.shape[1]), entry.image)
        depth = cap_depth(read_vkitti_depth(entry.depth), self.max_depth, self.beyond)
        return Frame(image, depth, intrinsics, "synthetic", entry.image)
