"""Polygons, gathered in numpy before Blender gets them. Metres; x to the right, y forward, z up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Numbers = float | Sequence[Any] | NDArray[Any]  # what becomes an array

_BOX = (
    np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]) / 2
)
_BOX_FACES = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])


class Mesh:
    """Vertices, triangles and quadrilaterals, and the name of each polygon's material."""

    def __init__(self) -> None:
        self.points: list[Points] = []
        self.faces: list[NDArray[np.int64]] = []  # (N, 3) or (N, 4)
        self.materials: list[str] = []  # one per array of faces
        self._count = 0

    def add(self, points: Numbers, faces: Numbers, material: str) -> None:
        """Add polygons of one material.

        Args:
            points: vertices, (N, 3).
            faces: their indices, (M, 3) or (M, 4), counter-clockwise seen from outside.
            material: name of the material.
        """
        points = np.asarray(points, np.float64).reshape(-1, 3)
        self.points.append(points)
        self.faces.append(np.asarray(faces, np.int64) + self._count)
        self.materials.append(material)
        self._count += len(points)

    def join(self, other: Mesh, at: Numbers = (0, 0, 0), heading: float = 0.0, scale: Numbers = 1.0) -> None:
        """Add a copy of another mesh, scaled, turned by ``heading`` (see :func:`turn`) and moved to ``at``."""
        if not other.points:
            return
        points = (np.concatenate(other.points) * np.asarray(scale)) @ turn(heading).T + np.asarray(at)
        first = self._count
        self.points.append(points)
        self.faces += [faces + first for faces in other.faces]
        self.materials += other.materials
        self._count += len(points)

    def box(self, size: Numbers, centre: Numbers, material: str, heading: float = 0.0) -> None:
        """Add a box of ``size`` (x, y, z) about ``centre``."""
        self.add((_BOX * np.asarray(size)) @ turn(heading).T + np.asarray(centre), _BOX_FACES, material)

    def boxes(self, sizes: Numbers, centres: Numbers, material: str) -> None:
        """Add boxes of ``sizes`` (N, 3) about ``centres`` (N, 3)."""
        centres = np.asarray(centres, np.float64).reshape(-1, 1, 3)
        sizes = np.broadcast_to(np.asarray(sizes, np.float64).reshape(-1, 1, 3), centres.shape)
        offsets = 8 * np.arange(len(centres))[:, None, None]
        self.add((_BOX * sizes + centres).reshape(-1, 3), (_BOX_FACES + offsets).reshape(-1, 4), material)

    def quad(self, corners: Numbers, material: str) -> None:
        """Add one quadrilateral, (4, 3), or several, (N, 4, 3)."""
        points = np.asarray(corners, np.float64).reshape(-1, 3)
        self.add(points, np.arange(len(points)).reshape(-1, 4), material)

    def loft(self, rings: Numbers, material: str, sides: Sequence[str] | None = None, caps: bool = True) -> None:
        """Add a skin over closed rings.

        Args:
            rings: (R, K, 3); each ring counter-clockwise, seen against the direction from the first to the last.
            material: name of the material.
            sides: materials of the K strips between neighbouring points of the rings; ``material`` by default.
            caps: whether the first and last ring are closed, by a fan about their centres.
        """
        rings = np.asarray(rings, np.float64)
        count, around = rings.shape[:2]
        index = np.arange(count * around).reshape(count, around)
        after = np.roll(index, -1, axis=1)
        strips = np.stack([index[:-1], after[:-1], after[1:], index[1:]], -1)  # (R - 1, K, 4)
        names = list(sides) if sides else [material] * around
        for name in dict.fromkeys(names):
            chosen = [place for place, each in enumerate(names) if each == name]
            self.add(rings.reshape(-1, 3), strips[:, chosen].reshape(-1, 4), name)
        for ring, flip in ((rings[0], True), (rings[-1], False)) if caps else ():
            points = np.vstack([ring, ring.mean(0)])
            ahead = np.roll(np.arange(around), -1)
            first, second = (ahead, np.arange(around)) if flip else (np.arange(around), ahead)
            self.add(points, np.stack([first, second, np.full(around, around)], -1), material)

    def tube(self, path: Numbers, radii: Numbers, material: str, sides: int = 6) -> None:
        """Add a tube along a path (N, 3) with one radius or one per point."""
        path = np.asarray(path, np.float64)
        along = np.gradient(path, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
        other = np.where(np.abs(along[:, 2:]) > 0.9, [[1.0, 0, 0]], [[0, 0, 1.0]])
        right = np.cross(along, other)
        right /= np.linalg.norm(right, axis=1, keepdims=True) + 1e-9  # 0 where points of the path coincide
        up = np.cross(right, along)
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
        radius = np.broadcast_to(np.asarray(radii, np.float64), len(path))[:, None, None]
        circle = np.cos(angle) * right[:, None] - np.sin(angle) * up[:, None]  # (N, sides, 3)
        self.loft((path[:, None] + radius * circle)[:, ::-1], material)

    def ball(self, centre: Numbers, radii: Numbers, material: str, rings: int = 5, around: int = 8) -> None:
        """Add an ellipsoid with ``radii`` (x, y, z)."""
        angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
        height = np.linspace(-np.pi / 2, np.pi / 2, rings + 2)[1:-1, None]
        unit = np.stack(
            np.broadcast_arrays(np.cos(height) * np.cos(angle), np.cos(height) * np.sin(angle), np.sin(height)), -1
        )
        self.loft(unit * np.asarray(radii) + np.asarray(centre), material)

    def sheet(self, points: Numbers, material: str) -> None:
        """Add a grid of quadrilaterals over (R, C, 3) points; it faces up where rows go forward, columns right."""
        points = np.asarray(points, np.float64)
        index = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
        quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
        self.add(points, quads.reshape(-1, 4), material)


def turn(heading: float) -> Points:
    """Rotation about the vertical, counter-clockwise seen from above, in radians, (3, 3)."""
    cos, sin = np.cos(heading), np.sin(heading)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def smooth_noise(rng: np.random.Generator, count: int, knots: int) -> NDArray[np.float64]:
    """Smooth random values with about unit deviation: ``knots`` normal values, interpolated by cosines."""
    values = rng.normal(size=max(2, knots))
    place = np.linspace(0, len(values) - 1, count)
    left = np.minimum(place.astype(int), len(values) - 2)
    share = (1 - np.cos(np.pi * (place - left))) / 2
    return np.asarray(values[left] * (1 - share) + values[left + 1] * share)
