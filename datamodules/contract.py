"""The contract between a reader and its users, checked where entries and frames leave the reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datamodules.reader import Frame, Neighbour, Reader

Domain = Literal["synthetic", "real"]
Truth = Literal["rendered", "lidar_z", "lidar_x", "annotated", "kinect", "laser_grid", "pairs", "none"]

MAX_DEPTH = 1000.0  # metres; larger values are another unit or a sky that should be 0
_Arrays = dict[str, tuple[type, tuple[int | None, ...], str]]  # dtype, shape and description of each field
_ARRAYS: _Arrays = {
    "image": (np.uint8, (None, None, 3), "RGB uint8 from 0 to 255, (H, W, 3)"),
    "depth": (np.float32, (None, None), "float32 metres, (H, W), 0 where unknown"),
    "intrinsics": (np.float32, (3, 3), "float32, (3, 3), pixels"),
    "pair": (np.int64, (5,), "int64, (5,), or None"),
    "inv_depth": (np.float32, (None, None), "float32, (H, W), or None"),
}

_NEIGHBOUR_ARRAYS: _Arrays = {
    "image": _ARRAYS["image"],
    "intrinsics": _ARRAYS["intrinsics"],
    "pose": (np.float32, (4, 4), "float32, (4, 4), metres, or None"),
}


def refuse_breach_of_reader(reader: Reader) -> None:
    """Check the attributes of a reader. Raises ValueError if one is missing or of another type."""
    for name, kind, wanted in (("root", Path, "a pathlib.Path"), ("layout", str, "a str")):
        if not isinstance(value := getattr(reader, name, None), kind):
            raise breach(reader, name, value, wanted)
    if (truth := getattr(reader, "truth", None)) not in get_args(Truth):
        raise breach(reader, "truth", truth, f"one of {', '.join(get_args(Truth))}")


def refuse_breach_of_scan(reader: Reader, entries: Any) -> None:
    """Check the result of a reader's ``scan``. Raises ValueError if it is no list of tuples that start with a path."""
    wanted = "a list of tuples, each with the path of the image, a pathlib.Path, as its first item"
    if not isinstance(entries, list):
        raise breach(reader, "the result of scan", entries, wanted)
    for entry in entries:
        if not isinstance(entry, tuple) or not entry or not isinstance(entry[0], Path):
            raise breach(reader, "an item of scan", entry, f"part of {wanted}")


def refuse_breach_of_frame(reader: Reader, frame: Frame) -> None:
    """Check the types and shapes of the fields of a frame. Raises ValueError if one is not as in ``Frame``."""
    _refuse_arrays(reader, frame, _ARRAYS)
    if frame.domain not in get_args(Domain):
        raise breach(reader, "domain", frame.domain, "synthetic or real")
    if not isinstance(frame.path, Path):
        raise breach(reader, "path", frame.path, "a pathlib.Path")
    if not isinstance(frame.neighbours, tuple):
        raise breach(reader, "neighbours", frame.neighbours, "a tuple of datamodules.Neighbour")
    for each in frame.neighbours:
        _refuse_arrays(reader, each, _NEIGHBOUR_ARRAYS, " of a neighbour")


def breach(reader: Reader, field: str, value: Any, wanted: str) -> ValueError:
    """The error about a reader that returns what it must not: wrong use, unlike a corrupt frame."""
    if isinstance(value, np.ndarray):
        extent = f" with values {value.min():g} to {value.max():g}" if value.size and value.dtype.kind in "fiu" else ""
        came = f"{value.dtype} {value.shape}{extent}"
    else:
        came = "missing" if value is None else f"{type(value).__name__} {' '.join(repr(value).split())[:60]}"
    name = f"{type(reader).__module__}.{type(reader).__qualname__}"
    return ValueError(f"reader {name}: {field} is {came}, but must be {wanted}")


def problem_of_values(frame: Frame, coarse: bool) -> str:
    """What is wrong with the values of a frame of the right types; empty if nothing is.

    Args:
        frame: the frame.
        coarse: whether depth may have fewer pixels than the image.
    """
    depth, inv_depth, size = frame.depth, frame.inv_depth, frame.image.shape[:2]
    if depth.shape != size and not coarse:
        return f"depth has shape {depth.shape}, but its image has {size}"
    if not (depth.min() >= 0 and depth.max() < np.inf):  # also False for NaN
        return "depth has negative or non-finite values"
    if depth.max() > MAX_DEPTH:
        return f"depth reaches {depth.max():g} m, but must be metres up to {MAX_DEPTH:g}, and 0 where unknown"
    if inv_depth is not None and inv_depth.shape != size:
        return f"inv_depth has shape {inv_depth.shape}, but its image has {size}"
    if inv_depth is not None and not (inv_depth.min() >= 0 and inv_depth.max() <= 1):
        return "inv_depth has values outside [0, 1]"
    if frame.pair is not None and not _is_pair(frame.pair.tolist(), size):
        return f"pair {frame.pair.tolist()} is not two points in the image and 1 or -1"
    for each in frame.neighbours:
        if problem := _problem_of_neighbour(each, size):
            return f"a neighbour: {problem}"
    return problem_of_camera(frame.intrinsics)


def _problem_of_neighbour(neighbour: Neighbour, size: tuple[int, ...]) -> str:
    own, pose = neighbour.image.shape[:2], neighbour.pose
    if own != size:
        return f"its image is {own[0]}x{own[1]} (height x width), but the frame's is {size[0]}x{size[1]}"
    if pose is not None and not np.isfinite(pose).all():
        return "its pose has values that are not finite"
    if pose is not None and not np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-2):
        return "its pose has no rotation matrix"
    return problem_of_camera(neighbour.intrinsics)


def problem_of_camera(intrinsics: NDArray[Any]) -> str:
    """What is wrong with the values of an intrinsics matrix, (3, 3); empty if nothing is."""
    if not np.isfinite(intrinsics).all():
        return "the intrinsics have values that are not finite"
    if not (intrinsics[0, 0] > 0 and intrinsics[1, 1] > 0):
        return f"the intrinsics have focal lengths {intrinsics[0, 0]:g} and {intrinsics[1, 1]:g} px: not positive"
    if intrinsics[1, 0] or intrinsics[2].tolist() != [0, 0, 1]:
        return f"the intrinsics {intrinsics.tolist()} are not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
    return ""


def _refuse_arrays(reader: Reader, thing: Any, arrays: _Arrays, of: str = "") -> None:
    for name, (dtype, shape, wanted) in arrays.items():
        value = getattr(thing, name, None)
        if value is None and wanted.endswith("None"):
            continue
        if not (isinstance(value, np.ndarray) and value.dtype == dtype and _fits(value.shape, shape)):
            raise breach(reader, f"{name}{of}", value, wanted)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        have and need in (None, have) for have, need in zip(shape, wanted, strict=True)
    )


def _is_pair(pair: list[int], size: tuple[int, ...]) -> bool:
    *points, order = pair
    return all(0 <= place < extent for place, extent in zip(points, 2 * size, strict=True)) and order in (1, -1)
