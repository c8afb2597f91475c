"""Virtual KITTI 2.0.3 (arXiv 2001.10773)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.depth_io import read_image, read_vkitti_depth
from datamodules.reader import DamagedFrameError, Frame, Reader, data_path, require_folder

LAYOUT = "Virtual KITTI 2.0.3: SceneXX/<variation>/frames/{rgb,depth}/Camera_0/{rgb_%05d.jpg,depth_%05d.png}"


class _Entry(NamedTuple):
    image: Path
    depth: Path
    intrinsics: NDArray[np.float32] | None


class VirtualKitti(Reader):
    """Rendered street scenes with exact depth.

    Reads the three ways in which people unpack it: one merged tree, ``vkitti_2.0.3_{rgb,depth,textgt}/`` and
    ``{rgb,depth,textgt}/``. Split it by scene, never by frame: neighbouring frames leak.

    Args:
        root: folder, relative to the data root.
        scenes: which scenes, e.g. ``Scene01``; all that there are if left out.
        variations: which weather and views, e.g. ``clone``, ``fog``; all that there are if left out.
        cameras: 0 (left) and 1 (right).
        max_depth: the cap in metres.
        beyond: what happens to the sky and to what is farther than the cap: ``mask`` (unknown) or ``clamp``.

    Raises:
        FileNotFoundError: no such folder, scene or variation, or no frame in them.
    """

    def __init__(
        self,
        root: str,
        scenes: Sequence[str] | None = None,
        variations: Sequence[str] | None = None,
        cameras: Sequence[int] = (0,),
        max_depth: float = 80.0,
        beyond: Literal["mask", "clamp"] = "mask",
    ) -> None:
        self.root, self.scenes, self.variations = data_path(root), scenes, variations
        self.cameras, self.max_depth, self.beyond = cameras, max_depth, beyond

    def scan(self) -> list[_Entry]:
        require_folder(self.root, LAYOUT)
        rgb, depth, text = (self._tree(kind) for kind in ("rgb", "depth", "textgt"))
        entries = []
        for scene in _choose(rgb, "Scene*", self.scenes):
            for variation in _choose(rgb / scene, "*", self.variations):
                frames = Path(scene, variation, "frames")
                intrinsics = _read_intrinsics(text / scene / variation / "intrinsic.txt")
                for camera in self.cameras:
                    for image in sorted((rgb / frames / "rgb" / f"Camera_{camera}").glob("rgb_*.jpg")):
                        number = image.stem.removeprefix("rgb_")
                        truth = depth / frames / "depth" / f"Camera_{camera}" / f"depth_{number}.png"
                        entries.append(_Entry(image, truth, intrinsics.get((int(number), camera))))
        if not entries:
            raise FileNotFoundError(f"{self.root}: no frame for cameras {list(self.cameras)}; looked for {LAYOUT}")
        return entries

    def read(self, entry: _Entry) -> Frame:
        if entry.intrinsics is None:
            raise DamagedFrameError(f"{entry.image}: its frame and camera are not in intrinsic.txt")
        image, depth = read_image(entry.image), read_vkitti_depth(entry.depth)
        if depth.shape != image.shape[:2]:
            raise DamagedFrameError(f"{entry.depth}: depth is {depth.shape}, its image {image.shape[:2]}")
        far = self.max_depth if self.beyond == "clamp" else 0.0
        depth[depth > self.max_depth] = far
        return Frame(image, depth, entry.intrinsics, "synthetic", entry.image)

    def _tree(self, kind: str) -> Path:
        candidates = (self.root / f"vkitti_2.0.3_{kind}", self.root / kind)
        return next((folder for folder in candidates if folder.is_dir()), self.root)


def _choose(folder: Path, pattern: str, wanted: Sequence[str] | None) -> list[str]:
    found = sorted(path.name for path in folder.glob(pattern) if path.is_dir())
    missing = sorted(set(wanted or ()) - set(found))
    if missing or not found:
        what = ", ".join(missing) or pattern
        raise FileNotFoundError(f"{folder}: no {what}; there is {', '.join(found) or 'nothing'}; looked for {LAYOUT}")
    return [name for name in found if wanted is None or name in wanted]


def _read_intrinsics(path: Path) -> dict[tuple[int, int], NDArray[np.float32]]:
    """(frame, camera) -> K, from the columns frame, cameraID, K[0,0], K[1,1], K[0,2], K[1,2]."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no intrinsics; looked for {LAYOUT} and intrinsic.txt beside frames/")
    table = {}
    for line in path.read_text().splitlines()[1:]:
        frame, camera, fx, fy, cx, cy = line.split()[:6]
        table[int(frame), int(camera)] = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float32)
    return table
