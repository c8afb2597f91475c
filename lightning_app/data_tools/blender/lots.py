"""What stands beside a street, lot by lot: houses, gardens, woods, walls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import buildings, furniture, plants
from .road import END, START
from .street import Street

Lot = Callable[[Street, float, float, int, float], None]
WALLS = ("wall", "wall2", "wall3", "brick", "planks", "concrete")


def fill(street: Street, side: int, weights: dict[str, float]) -> None:
    """Fill one side of a street, -1 (left) or 1 (right), with lots drawn by their weights.

    Neighbouring lots are often of the same kind.
    """
    rng, road = street.rng, street.road
    edge = road.edges[0] if side < 0 else road.edges[1]
    names = list(weights)
    chances = np.array([weights[name] for name in names])
    if "near" in street.without:
        chances *= [name not in ("wall", "garages", "barrier") for name in names]
    name = str(rng.choice(names, p=chances / chances.sum()))
    cuts = [crossing for crossing in road.crossings if (crossing.left if side < 0 else crossing.right)]
    s = START + 4
    while s < END - 10:
        if rng.random() < 0.45:
            name = str(rng.choice(names, p=chances / chances.sum()))
        length = float(rng.uniform(*_LENGTHS.get(name, (8, 30))))
        cut = next((crossing for crossing in cuts if s < crossing.s < s + length + crossing.half + 1), None)
        if cut is not None:
            length = cut.s - cut.half - 1 - s
        if length > 3:
            _LOTS[name](street, s, length, side, edge)
        s = cut.s + cut.half + 1 if cut is not None else s + length


def _house(street: Street, s: float, length: float, side: int, edge: float) -> None:
    rng = street.rng
    setback = float(rng.choice([0.3, rng.uniform(2, 12)], p=[0.12, 0.88]))
    wide = max(3.0, min(length - rng.uniform(0.5, 5), 18))
    deep = rng.uniform(7, 13)
    house = buildings.building(rng, wide, deep, int(rng.integers(1, 4)), str(rng.choice(WALLS)), street.chance(0.12))
    heading = street.facing(side) + rng.normal(0, 0.04)
    street.put_solid(house, s + length / 2, edge + side * setback, heading)
    if setback > 1.5:
        _garden(street, s, length, side, edge, deep=setback)
    if length - wide > 3.5 and street.chance(0.6):
        place = s + length - (length - wide) / 4
        if street.chance(0.5) and "near" not in street.without:
            street.put_solid(buildings.garages(rng, 1), place, edge + side * (setback + 2), street.facing(side))
        else:
            street.put("car", place, edge + side * (setback / 2 + 2), street.facing(side) + rng.choice([0, np.pi]))


def _garden(street: Street, s: float, length: float, side: int, edge: float, deep: float = 12.0) -> None:
    """A hedge, a fence or nothing along the pavement, and plants behind it."""
    rng = street.rng
    kind = rng.random()
    if kind < 0.35 and "vegetation" not in street.without:
        _hedge(street, s, length, edge + side * rng.uniform(0.3, 0.7), rng.uniform(0.7, 2.2))
    elif kind < 0.75 and "furniture" not in street.without:
        furniture.fence(rng, street.solid, street.road, (s, s + length), edge + side * 0.2)
    for _ in range(rng.poisson(length * min(deep, 8) / 28)):
        thing = rng.choice(["bush", "tree", "conifer", "tufts"], p=[0.5, 0.22, 0.18, 0.1])
        place = edge + side * rng.uniform(0.8, max(1.2, deep - 1))
        street.put(str(thing), s + rng.uniform(0, length), place, rng.uniform(0, 6.3), rng.uniform(0.5, 1.1))


def _hedge(street: Street, s: float, length: float, t: float, height: float) -> None:
    pieces = max(1, round(length / 6))
    for place in range(pieces):
        part = plants.hedge(street.rng, length / pieces + 0.1, height, street.rng.uniform(0.6, 1.1))
        street.put_solid(part, s + (place + 0.5) * length / pieces, t, np.pi / 2)


def _block(street: Street, s: float, length: float, side: int, edge: float) -> None:
    rng = street.rng
    setback = float(rng.choice([0.1, rng.uniform(1, 8), rng.uniform(8, 25)], p=[0.45, 0.35, 0.2]))
    storeys = int(rng.choice([3, 4, 5, 6, 9], p=[0.25, 0.3, 0.25, 0.12, 0.08]))
    block = buildings.building(
        rng, length - 0.05, rng.uniform(9, 16), storeys, str(rng.choice(WALLS)), street.chance(0.45)
    )
    street.put_solid(block, s + length / 2, edge + side * setback, street.facing(side))
    if setback > 3:
        _garden(street, s, length, side, edge, setback)
        if street.chance(0.3):
            _yard(street, s, length, side, edge)


def _hall(street: Street, s: float, length: float, side: int, edge: float) -> None:
    setback = float(street.rng.uniform(1, 22))
    hall = buildings.hall(street.rng, length - 1, street.rng.uniform(12, 25))
    street.put_solid(hall, s + length / 2, edge + side * setback, street.facing(side))
    if setback > 7:
        _yard(street, s, length, side, edge)


def _garages(street: Street, s: float, length: float, side: int, edge: float) -> None:
    row = buildings.garages(street.rng, max(1, int(length / 3)))
    street.put_solid(row, s + length / 2, edge + side * street.rng.uniform(0.5, 7), street.facing(side))


def _yard(street: Street, s: float, length: float, side: int, edge: float) -> None:
    """Cars parked at a right angle, sheds, and lorries."""
    rng = street.rng
    for place in np.arange(s + 1.5, s + length - 1, 2.6):
        if street.chance(0.65):
            thing = rng.choice(["car", "van", "trailer"], p=[0.85, 0.1, 0.05])
            street.put(str(thing), place, edge + side * 3.2, np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.04))
    if street.chance(0.4):
        street.put_solid(
            buildings.shed(rng), s + rng.uniform(0, length), edge + side * rng.uniform(7, 15), street.facing(side)
        )
    if street.chance(0.15):
        street.put("lorry", s + length / 2, edge + side * 10, rng.uniform(0, 6.3))


def _parking(street: Street, s: float, length: float, side: int, edge: float) -> None:
    """Rows of a car park."""
    rng = street.rng
    for row in range(rng.integers(1, 4)):
        for place in np.arange(s + 1.3, s + length - 1, 2.6):
            t = edge + side * (3.0 + row * rng.choice([5.2, 11]))
            if street.chance(0.7):
                street.put(
                    "van" if street.chance(0.08) else "car",
                    place,
                    t,
                    np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.03),
                )
            across = (t - 2.3, t + 2.3)
            street.road.strip(street.solid, (place - 1.36, place - 1.26), across, "marking")
    if street.chance(0.5):
        for place in np.arange(s + 4, s + length, 9.0):
            street.put("tree", place, edge + side * 6, rng.uniform(0, 6.3), rng.uniform(0.4, 0.7))


def _trees(street: Street, s: float, length: float, side: int, edge: float) -> None:
    rng = street.rng
    thing = str(rng.choice(["tree", "tree", "tree", "conifer", "bare tree"]))
    for _ in range(rng.poisson(length / 4)):
        street.put(
            thing,
            s + rng.uniform(0, length),
            edge + side * rng.uniform(0.8, 20),
            rng.uniform(0, 6.3),
            rng.uniform(0.6, 1.2),
        )
    for _ in range(rng.poisson(length / 5)):
        street.put(
            str(rng.choice(["bush", "tufts"])),
            s + rng.uniform(0, length),
            edge + side * rng.uniform(0.3, 12),
            rng.uniform(0, 6.3),
        )


def _wood(street: Street, s: float, length: float, side: int, edge: float) -> None:
    rng = street.rng
    away = rng.uniform(0.8, 8)
    for place in np.arange(s, s + length, 4.5):
        street.put(
            "undergrowth",
            place,
            edge + side * (away + rng.uniform(-0.5, 1)),
            np.pi / 2 + rng.normal(0, 0.2),
            rng.uniform(0.7, 1.4),
        )
    thing = str(rng.choice(["tree", "tree", "conifer"]))
    for row in range(4):
        for place in np.arange(s + rng.uniform(0, 4), s + length, 5.5):
            t = edge + side * (away + 1.5 + 4.5 * row + rng.uniform(-1.5, 1.5))
            street.put(
                thing if street.chance(0.85) else "bush",
                place + rng.normal(),
                t,
                rng.uniform(0, 6.3),
                rng.uniform(0.8, 1.3),
            )


def _field(street: Street, s: float, length: float, side: int, edge: float) -> None:
    rng = street.rng
    for _ in range(rng.poisson(length / 3)):
        street.put(
            "tufts",
            s + rng.uniform(0, length),
            edge + side * rng.uniform(0.2, 8),
            rng.uniform(0, 6.3),
            rng.uniform(0.6, 1.8),
        )
    if street.chance(0.3):
        street.put("tree", s + rng.uniform(0, length), edge + side * rng.uniform(4, 60), 0.0, rng.uniform(0.7, 1.3))
    if street.chance(0.25) and "furniture" not in street.without:
        furniture.fence(rng, street.solid, street.road, (s, s + length), edge + side * rng.uniform(0.5, 3))
    elif street.chance(0.3) and "furniture" not in street.without:
        furniture.guard_rail(street.solid, street.road, (s, s + length), edge + side * rng.uniform(0.2, 0.8))


def _wall(street: Street, s: float, length: float, side: int, edge: float) -> None:
    material = str(street.rng.choice(WALLS))
    t, height = edge + side * street.rng.uniform(0.15, 2), street.rng.uniform(1.2, 4)
    street.road.wall(street.solid, (s, s + length), t, height, 0.3, material)
    _garden(street, s, length, side, edge + side, 10)


def _fence(street: Street, s: float, length: float, side: int, edge: float) -> None:
    if "furniture" not in street.without:
        t = edge + side * street.rng.uniform(0.1, 1.0)
        furniture.fence(street.rng, street.solid, street.road, (s, s + length), t)
    _garden(street, s, length, side, edge + side, 14)


def _barrier(street: Street, s: float, length: float, side: int, edge: float) -> None:
    """A noise barrier or a retaining wall."""
    height, t = street.rng.uniform(2, 6), edge + side * street.rng.uniform(0.6, 4)
    street.road.wall(
        street.solid,
        (s, s + length),
        t,
        height,
        0.4,
        str(street.rng.choice(["concrete", "planks", "metal wall", "stone"])),
    )
    _trees(street, s, length, side, edge + 5 * side)


_LOTS: dict[str, Lot] = {
    "house": _house, "garden": _garden, "block": _block, "hall": _hall, "garages": _garages, "yard": _yard,
    "parking": _parking, "trees": _trees, "wood": _wood, "field": _field, "wall": _wall, "fence": _fence,
    "barrier": _barrier,
}  # fmt: skip
_LENGTHS = {
    "house": (9, 24), "block": (12, 35), "hall": (18, 45), "garages": (3.2, 16), "wood": (20, 60), "field": (20, 60),
    "barrier": (30, 90), "parking": (15, 50),
}  # fmt: skip
