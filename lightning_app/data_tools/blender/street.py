"""A street under construction: its ground, what is built on it, and copies of single things."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import furniture, people, plants, vehicles
from .geometry import Mesh, turn
from .road import Road

PAINTS = tuple(f"paint{place}" for place in range(8))
Rng = np.random.Generator


def _paint(rng: Rng) -> str:
    return str(rng.choice(PAINTS))


# Things that are copied: how they are modelled, and how many models a street has of them.
_MODELS: dict[str, tuple[Callable[[Rng], Mesh], int]] = {
    "tree": (plants.broadleaf, 5),
    "bare tree": (lambda rng: plants.broadleaf(rng, bare=True), 3),
    "conifer": (plants.conifer, 3),
    "bush": (plants.bush, 5),
    "undergrowth": (plants.undergrowth, 4),
    "tufts": (plants.tufts, 3),
    "car": (lambda rng: vehicles.car(rng, _paint(rng)), 10),
    "van": (lambda rng: vehicles.car(rng, _paint(rng), "van"), 2),
    "lorry": (lambda rng: vehicles.lorry(rng, _paint(rng)), 3),
    "bus": (lambda rng: vehicles.bus(rng, _paint(rng)), 2),
    "trailer": (lambda rng: vehicles.trailer(rng, _paint(rng)), 2),
    "motorcycle": (lambda rng: vehicles.motorcycle(rng, _paint(rng)), 2),
    "bicycle": (vehicles.bicycle, 2),
    "person": (people.person, 8),
    "cyclist": (people.cyclist, 3),
    "lamp": (furniture.lamp_post, 1),
    "sign": (furniture.sign, 5),
    "traffic light": (furniture.traffic_light, 1),
    "small thing": (furniture.small_thing, 6),
}
# What an ablation leaves out, by kind of variety.
_KINDS = {
    "vegetation": {"tree", "bare tree", "conifer", "bush", "undergrowth", "tufts"},
    "vehicles": {"car", "van", "lorry", "bus", "trailer", "motorcycle", "bicycle", "cyclist"},
    "people": {"person", "cyclist"},
    "furniture": {"lamp", "sign", "traffic light", "small thing"},
}


class Copy(NamedTuple):
    """A copy of a thing in the world."""

    mesh: Mesh
    matrix: NDArray[np.float64]  # (4, 4)


class Street:
    """A street.

    Attributes:
        rng: what is drawn next.
        without: kinds of variety that are left out.
        road: its ground.
        solid: all that stands there once, in world coordinates.
        copies: all that stands there several times.
    """

    def __init__(self, rng: Rng, road: Road, without: Collection[str] = ()) -> None:
        self.rng, self.road, self.without = rng, road, without
        self.solid = Mesh()
        self.copies: list[Copy] = []
        self._models: dict[str, list[Mesh]] = {}
        self._left_out = set().union(*(_KINDS.get(kind, set()) for kind in without))
        road.build(self.solid)

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)

    def put(self, thing: str, s: float, t: float, heading: float = 0.0, scale: float = 1.0) -> None:
        """Put a copy of a thing on the ground.

        Args:
            thing: its name, a key of ``_MODELS``.
            s, t: its place.
            heading: its direction against that of the street, radians counter-clockwise.
            scale: its size.
        """
        if thing in self._left_out:
            return
        model, most = _MODELS[thing]
        known = self._models.setdefault(thing, [])
        place = int(self.rng.integers(most))
        if place >= len(known):
            known.append(model(self.rng))
            place = len(known) - 1
        matrix = np.eye(4)
        matrix[:3, :3] = turn(float(self.road.heading(s)) + heading) * scale
        matrix[:3, 3] = self.road.place(s, t)
        self.copies.append(Copy(known[place], matrix))

    def put_solid(self, mesh: Mesh, s: float, t: float, heading: float = 0.0) -> None:
        """Put something that stands there once on the ground, like :meth:`put`."""
        self.solid.join(mesh, self.road.place(s, t), float(self.road.heading(s)) + heading)

    def facing(self, side: int) -> float:
        """Heading of what looks towards the street from a side, -1 (left) or 1 (right), with its front to -y."""
        return -side * np.pi / 2
