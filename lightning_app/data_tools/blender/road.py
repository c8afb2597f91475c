"""The ground of a street. Its coordinates, in metres: s along the centre line, t to the right, h above the ground."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .geometry import Mesh, Numbers, Points, smooth_noise

START, END = -40.0, 240.0  # of the street, s
SIDE = 110.0  # width of the ground on either side, metres


class Band(NamedTuple):
    """A strip of the ground that follows the street.

    Attributes:
        width: metres.
        height: above the carriageway, metres.
        material: name of the material.
    """

    width: float
    height: float
    material: str


class Crossing(NamedTuple):
    """A side street, at a right angle."""

    s: float
    half: float
    left: bool
    right: bool


class Road:
    """A street: where it goes, and the ground beside it.

    Args:
        rng: where it goes is drawn from it.
        half: half of the carriageway's width, metres.
        left, right: strips beside the carriageway, from the inner to the outer one.
        surface: material of the carriageway.
        beyond: material of the ground beyond the strips.
        curve: deviation of the curvature, 1/m.
        slope: deviation of the slope along the street.
        hills: height of the ground beyond the strips, metres.
        crossings: side streets.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        half: float,
        left: list[Band],
        right: list[Band],
        surface: str,
        beyond: str,
        curve: float,
        slope: float,
        hills: float,
        crossings: list[Crossing],
    ) -> None:
        self.half, self.left, self.right, self.crossings = half, left, right, crossings
        self.surface, self.beyond, self.hills = surface, beyond, hills
        self._s = np.arange(START, END + 0.5, 1.0)
        count = len(self._s)
        curvature = np.clip(curve * smooth_noise(rng, count, int(rng.integers(2, 7))), -0.02, 0.02)
        self._heading = np.cumsum(curvature)
        self._heading -= np.interp(0, self._s, self._heading)
        self._centre = np.cumsum(
            np.stack(
                [
                    -np.sin(self._heading),
                    np.cos(self._heading),
                    slope * smooth_noise(rng, count, int(rng.integers(3, 7))),
                ],
                axis=1,
            ),
            axis=0,
        )
        self._centre -= self._along(0, self._centre)
        self._waves = rng.normal(size=(6, 2)) * [[0.02], [0.03], [0.05], [0.08], [0.12], [0.2]]
        self._phases = rng.uniform(0, 2 * np.pi, 6)
        self.bank = rng.uniform([-0.25, -0.25], [0.35, 0.35]) * min(1.0, hills)  # rise of the ground beside the strips
        self.edges = (-half - sum(band.width for band in left), half + sum(band.width for band in right))

    def _along(self, s: Numbers, values: NDArray[np.float64]) -> NDArray[np.float64]:
        s = np.asarray(s, np.float64)
        if values.ndim == 1:
            return np.interp(s, self._s, values)
        return np.stack([np.interp(s, self._s, column) for column in values.T], -1)

    def heading(self, s: Numbers) -> NDArray[np.float64]:
        """Direction of the street, radians counter-clockwise from y."""
        return self._along(s, self._heading)

    def slope(self, s: float, t: float) -> float:
        """Angle by which the street rises ahead of a place, radians, whatever its heading."""
        ahead = self.place(s + 2, t) - self.place(s, t)
        return float(np.arctan2(ahead[2], np.linalg.norm(ahead[:2])))

    def place(self, s: Numbers, t: Numbers, h: Numbers = 0.0) -> Points:
        """Street coordinates -> world (..., 3)."""
        s, t, h = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (s, t, h)))
        heading = self.heading(s)
        across = np.stack([np.cos(heading), np.sin(heading), np.zeros_like(heading)], -1)
        points = self._along(s, self._centre) + t[..., None] * across
        points[..., 2] += self.ground(s, t) + h
        return np.asarray(points)

    def ground(self, s: Numbers, t: Numbers) -> NDArray[np.float64]:
        """Height of the ground above the centre line, metres."""
        s, t = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(t, np.float64))
        height = np.zeros(t.shape)
        for bands, side in ((self.left, -1), (self.right, 1)):
            inner = self.half
            for band in bands:
                height = np.where(side * t > inner, band.height, height)
                inner += band.width
            outside = np.maximum(side * t - inner, 0)
            relief = sum(
                np.sin(wave[0] * s + wave[1] * t + phase) * 0.1 / (abs(wave[0]) + abs(wave[1]) + 0.05)
                for wave, phase in zip(self._waves, self._phases, strict=True)
            )
            fade = np.clip(outside / 12, 0, 1)
            rise = self.bank[int(side > 0)] * np.minimum(outside, 15)
            height = height + fade * self.hills * relief + rise
        return np.where(self._crossed(s, t), 0.0, height)

    def _crossed(self, s: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.bool_]:
        inside = np.zeros(s.shape, bool)
        for crossing in self.crossings:
            side = ((t < 0) & crossing.left) | ((t > 0) & crossing.right)
            inside |= side & (np.abs(s - crossing.s) < crossing.half) & (np.abs(t) > self.half)
        return inside

    def free(self, s: float, t: float, margin: float) -> bool:
        """Whether a place is at least ``margin`` metres along the street from every side street."""
        return not any(
            abs(s - crossing.s) < crossing.half + margin and (crossing.left if t < 0 else crossing.right)
            for crossing in self.crossings
        )

    def build(self, mesh: Mesh) -> None:
        """Add the ground."""
        gap = 0.01  # of a kerb, from its foot to its edge
        t, names = [-self.half, self.half], [self.surface]
        for bands, side in ((self.left, -1), (self.right, 1)):
            inner, height, grown, kinds = self.half, 0.0, [], []
            for band in bands:
                if band.height != height:
                    grown.append(inner + gap)
                    kinds.append("kerb")
                inner, height = inner + band.width, band.height
                grown.append(inner)
                kinds.append(band.material)
            outer = inner + np.array([0.01, 2, 4, 7, 11, 16, 24, 34, 48, 66, 86, SIDE])
            grown, kinds = [*grown, *outer], [*kinds, *[self.beyond] * len(outer)]
            if side > 0:
                t, names = [*t, *grown], [*names, *kinds]
            else:
                t, names = [*(-each for each in reversed(grown)), *t], [*reversed(kinds), *names]
        rows = np.arange(START, END + 1, 2.0)
        for crossing in self.crossings:
            edges = [crossing.s + crossing.half * side + shift for side in (-1, 1) for shift in (-gap, gap)]
            rows = np.append(rows, edges)
        rows = np.unique(rows)
        across = np.array(t)
        points = self.place(rows[:, None], across[None])
        middle = (rows[1:] + rows[:-1]) / 2
        for column, name in enumerate(names):
            centre = (across[column] + across[column + 1]) / 2
            crossed = self._crossed(middle, np.full(len(middle), centre))
            index = np.arange(len(rows) - 1)
            for kind, chosen in ((name, index[~crossed]), (self.surface, index[crossed])):
                if len(chosen):
                    corners = [points[chosen + up, column + right] for up, right in ((0, 0), (0, 1), (1, 1), (1, 0))]
                    mesh.quad(np.stack(corners, 1), kind)

    def strip(
        self, mesh: Mesh, s: tuple[float, float], t: tuple[float, float], material: str, height: float = 0.006
    ) -> None:
        """Add a flat strip on the ground, from ``s[0]`` to ``s[1]`` and ``t[0]`` to ``t[1]``."""
        rows = np.linspace(*s, max(2, int((s[1] - s[0]) / 2) + 1))
        mesh.sheet(self.place(rows[:, None], np.array(t)[None], height), material)

    def along(self, mesh: Mesh, s: tuple[float, float], t: float, height: float, radius: float, material: str) -> None:
        """Add a tube that follows the street at a constant ``height``, such as a rail."""
        rows = np.arange(s[0], s[1] + 0.1, 2.0)
        if len(rows) > 1:
            mesh.tube(self.place(rows, t, height), radius, material, 5)

    def wall(self, mesh: Mesh, s: tuple[float, float], t: float, height: float, thick: float, material: str) -> None:
        """Add a wall that follows the street."""
        rows = np.linspace(*s, max(2, int((s[1] - s[0]) / 3) + 1))
        foot = [(t - thick / 2, -0.4), (t + thick / 2, -0.4), (t + thick / 2, height), (t - thick / 2, height)]
        rings = np.stack([self.place(rows, at, h) for at, h in foot], 1)
        mesh.loft(rings, material)
