"""Draws a street: its kind, its ground, and what is where."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from . import lots, surroundings, traffic
from .furniture import bridge, tunnel
from .road import Band, Crossing, Road
from .street import Rng, Street


class Kind(NamedTuple):
    """A kind of street: ranges from which one is drawn.

    Attributes:
        share: of the streets.
        half: half of the carriageway's width, metres.
        pavement: width of a pavement, metres; 0 for none.
        verge: width of the grass beside it, metres.
        curve: deviation of the curvature, 1/m.
        hills: height of the ground beside the street, metres.
        lots: what stands on either side, with weights.
        surface: materials of the carriageway.
        beyond: materials of the ground beside it.
        crossings: largest number of side streets.
        parked: largest share of the kerb with parked cars.
        moving: vehicles on the road for each 100 m.
        people: people for each 100 m.
    """

    share: float
    half: tuple[float, float]
    pavement: tuple[float, float]
    verge: tuple[float, float]
    curve: float
    hills: float
    lots: dict[str, float]
    surface: tuple[str, ...]
    beyond: tuple[str, ...]
    crossings: int
    parked: float
    moving: float
    people: float


_TOWN = ("asphalt", "asphalt", "asphalt", "old asphalt", "cobbles")
KINDS = {
    "suburb": Kind(
        0.26, (2.8, 4.8), (1.2, 3.0), (0, 2), 0.004, 0.6,
        {"house": 5, "garden": 2, "garages": 1.2, "trees": 1, "wall": 1, "fence": 1, "yard": 0.5},
        _TOWN, ("grass", "grass", "paving", "soil"), 2, 0.5, 2, 2.5,
    ),
    "city": Kind(
        0.21, (3.0, 7.0), (1.8, 5), (0, 1.5), 0.002, 0.2,
        {"block": 6, "house": 1, "trees": 0.7, "yard": 0.6, "wall": 0.5, "hall": 0.3},
        _TOWN, ("paving", "old asphalt", "soil"), 3, 0.6, 4, 7,
    ),
    "lane": Kind(
        0.06, (1.8, 3.2), (0, 1.0), (0, 1.0), 0.005, 0.4,
        {"garages": 3, "wall": 3, "house": 2, "fence": 3, "garden": 2, "block": 1},
        ("old asphalt", "cobbles", "paving", "soil"), ("grass", "paving", "soil"), 1, 0.25, 0.4, 1.5,
    ),
    "country": Kind(
        0.12, (2.8, 4.5), (0, 0), (1, 5), 0.004, 1.5,
        {"field": 4, "trees": 2, "wood": 2, "fence": 1, "house": 0.4, "hall": 0.3},
        ("asphalt", "old asphalt"), ("grass", "grass", "soil", "dry grass"), 1, 0.02, 1.2, 0.15,
    ),
    "wood": Kind(
        0.07, (2.6, 4.5), (0, 0), (1, 5), 0.004, 1.2,
        {"wood": 6, "trees": 2, "field": 0.5},
        ("asphalt", "old asphalt"), ("grass", "soil", "dry grass"), 1, 0.05, 0.8, 0.3,
    ),
    "highway": Kind(
        0.14, (7, 15), (0, 0), (1, 5), 0.001, 1.0,
        {"wood": 2, "field": 2, "trees": 2, "barrier": 2, "hall": 0.5, "block": 0.3},
        ("asphalt", "asphalt", "concrete"), ("grass", "grass", "dry grass"), 0, 0.0, 5, 0,
    ),
    "square": Kind(
        0.07, (3, 11), (0, 3), (0, 2), 0.003, 0.3,
        {"block": 3, "hall": 2, "trees": 2, "garden": 2, "wall": 1, "yard": 0.5},
        ("paving", "cobbles", "stone"), ("paving", "grass", "soil"), 1, 0.06, 0.2, 14,
    ),
    "car park": Kind(
        0.07, (3, 4), (0, 1), (0, 1), 0.002, 0.3,
        {"parking": 5, "hall": 2, "trees": 1, "fence": 1, "block": 0.7},
        ("asphalt", "old asphalt", "concrete"), ("old asphalt", "paving"), 1, 0.2, 1, 2,
    ),
}  # fmt: skip


def draw_street(rng: Rng, frames_end: float, without: Collection[str] = ()) -> tuple[Street, float]:
    """Draw a street.

    Args:
        rng: what it is like.
        frames_end: the camera drives from s = 0 to here, metres; its lane stays free that far.
        without: kinds of variety that are left out.

    Returns:
        The street, and the camera's place across it, t.
    """
    names = ["suburb", "city"] if "layout" in without else list(KINDS)
    shares = np.array([KINDS[name].share for name in names])
    name = str(rng.choice(names, p=shares / shares.sum()))
    kind = KINDS[name]
    road = _road(rng, kind, plain="layout" in without)
    street = Street(rng, road, without)
    lane = _lane(rng, name, road)
    traffic.markings(street, name, kind.pavement[1] > 0)
    for side in (-1, 1):
        lots.fill(street, side, kind.lots)
        surroundings.line(street, side)
    traffic.place_parked(street, kind.parked, lane)
    traffic.place_moving(street, kind.moving, lane, frames_end, oneway=name == "highway")
    traffic.place_people(street, kind.people, lane, frames_end)
    if "layout" not in without:
        _overhead(street, name)
    surroundings.horizon(street)
    return street, lane


def _road(rng: Rng, kind: Kind, plain: bool) -> Road:
    half = rng.uniform(*kind.half)
    kerb = float(rng.choice([0.03, 0.1, 0.15]))
    sides = []
    for _ in range(2):
        bands = []
        pavement, verge = rng.uniform(*kind.pavement), rng.uniform(*kind.verge)
        if kind.parked > 0.3 and rng.random() < 0.6:
            bands.append(Band(rng.uniform(2.0, 2.5), 0.0, str(rng.choice(["paving", "old asphalt", "cobbles"]))))
        if verge > 0.5 and rng.random() < 0.6:
            bands.append(
                Band(
                    verge, kerb if kind.pavement[1] else -0.03, str(rng.choice(["grass", "grass", "dry grass", "soil"]))
                )
            )
        if pavement > 0.3:
            bands.append(Band(pavement, kerb, str(rng.choice(["paving", "old asphalt", "stone"]))))
        sides.append(bands)
    crossings: list[Crossing] = []
    for _ in range(0 if plain else int(rng.integers(0, kind.crossings + 1))):
        s, wide = rng.uniform(12, 150), rng.uniform(2.2, 6)
        if all(abs(s - other.s) > wide + other.half + 12 for other in crossings):
            both = rng.random() < 0.5
            left = both or rng.random() < 0.5
            crossings.append(Crossing(s, wide, bool(left), bool(both or not left)))
    curve = 0.0 if plain else kind.curve * float(rng.choice([0.1, 0.6, 1.3]))
    slope = 0.0 if plain else float(rng.choice([0.003, 0.01, 0.03]))
    surface, beyond = str(rng.choice(kind.surface)), str(rng.choice(kind.beyond))
    return Road(rng, half, sides[0], sides[1], surface, beyond, curve, slope, 0.0 if plain else kind.hills, crossings)


def _lane(rng: Rng, name: str, road: Road) -> float:
    """The camera's place across the street: in the right lane, or anywhere on a square."""
    if name == "square":
        return float(rng.uniform(-0.8, 0.8) * road.half)
    if name == "highway":
        return float(rng.choice(np.arange(0.5, int(road.half / 3.6)) * 3.6))
    if name == "lane":
        return float(rng.normal(0, 0.25))
    if rng.random() < 0.06:  # turned round, or overtaking
        return float(-road.half * rng.uniform(0.2, 0.6))
    return float(road.half * rng.uniform(0.3, 0.55))


def _overhead(street: Street, name: str) -> None:
    rng = street.rng
    if name in ("highway", "country", "city", "suburb") and street.chance(0.08):
        bridge(rng, street.solid, street.road, rng.uniform(12, 100))
    elif name in ("highway", "country", "wood", "city") and street.chance(0.05):
        start = rng.uniform(-20, 60)
        tunnel(rng, street.solid, street.road, (start, start + rng.uniform(20, 90)), street.chance(0.4))
