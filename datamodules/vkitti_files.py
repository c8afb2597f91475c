"""Files of Virtual KITTI: folders, the range of depth, and the tables of cameras of version 2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.folders import list_folder
from datamodules.lists import read_text
from datamodules.reader import pinhole

Beyond = Literal["mask", "clamp"]
SKY = 655.35  # metres
Table = dict[tuple[int, int], NDArray[np.float32]]  # by frame and camera


def read_intrinsics(path: Path) -> Table:
    """Read intrinsics, (3, 3), from the columns frame, cameraID, K[0,0], K[1,1], K[0,2], K[1,2]; empty if missing."""
    return {place: pinhole(*values) for place, values in _rows(path, 4)}


def read_extrinsics(path: Path) -> Table:
    """Read world-to-camera matrices, (4, 4), metres, from the columns frame, cameraID, r1,1, ... 0, 0, 0, 1; empty if
    missing."""
    return {place: np.array(values, np.float32).reshape(4, 4) for place, values in _rows(path, 16)}


def _rows(path: Path, columns: int) -> Iterator[tuple[tuple[int, int], list[float]]]:
    """The rows with so many numbers; reading a frame without a row raises CorruptFrameError."""
    try:
        text = read_text(path) if path.is_file() else ""
    except ValueError:
        return
    for line in text.splitlines()[1:]:
        try:
            frame, camera, *values = line.split()[: 2 + columns]
            numbers = int(frame), int(camera), [float(value) for value in values]
        except ValueError:
            continue
        if len(numbers[2]) == columns:
            yield numbers[:2], numbers[2]


def cap_depth(depth: NDArray[np.float32], max_depth: float, beyond: Beyond) -> NDArray[np.float32]:
    """Depth, (H, W), whose values beyond ``max_depth`` are unknown (0) or ``max_depth``; it is changed in place."""
    kind = cv2.THRESH_TRUNC if beyond == "clamp" else cv2.THRESH_TOZERO_INV
    return np.asarray(cv2.threshold(depth, max_depth, 0, kind, dst=depth)[1])


def find_frames(folder: Path, pattern: str, layout: str) -> list[Path]:
    """Images of a folder. Raises FileNotFoundError if there are none."""
    images = list_folder(folder, pattern)
    if not images:
        raise FileNotFoundError(f"{folder}: no {pattern} in it; looked for {layout}")
    return images


def check_max_depth(max_depth: float) -> float:
    """Return ``max_depth``. Raises ValueError if it is not between 0 and the depth of the sky."""
    if not 0 < max_depth < SKY:
        raise ValueError(f"max_depth {max_depth} is not between 0 and {SKY} m, the depth of the sky")
    return max_depth


def choose(folder: Path, pattern: str, wanted: Sequence[str] | None, layout: str) -> list[str]:
    """Names of the wanted folders, or of all that match. Raises FileNotFoundError if one is missing."""
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
