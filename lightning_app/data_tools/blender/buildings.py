"""Houses, blocks, halls and garages. Their front stands on the x axis and looks towards -y; the ground is z = 0."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .geometry import Mesh


class Facade(NamedTuple):
    """What the windows of a building look like, metres."""

    width: float
    height: float
    every: float
    frame: bool
    shutters: bool
    balconies: bool


def building(rng: np.random.Generator, length: float, depth: float, storeys: int, wall: str, flat: bool) -> Mesh:
    """A house or a block of flats.

    Args:
        rng: what it looks like.
        length: along x, metres.
        depth: along y, metres.
        storeys: number of storeys.
        wall: material of its walls.
        flat: whether the roof is flat.
    """
    mesh = Mesh()
    storey = rng.uniform(2.7, 3.5)
    height = storeys * storey + rng.uniform(0.2, 0.8)
    mesh.box([length, depth, height + 2], [0, depth / 2, height / 2 - 1], wall)
    if rng.random() < 0.5:  # a plinth
        mesh.box([length + 0.08, depth + 0.08, 3], [0, depth / 2, rng.uniform(0.3, 1.0) - 1.5], "stone")
    every = rng.uniform(1.8, 4.0)
    facade = Facade(
        min(rng.uniform(0.8, 2.2), every - 0.5), rng.uniform(1.1, 1.9), every, rng.random() < 0.7, rng.random() < 0.25,
        storeys > 2 and rng.random() < 0.4,
    )  # fmt: skip
    shop = storeys > 2 and rng.random() < 0.4
    _windows(rng, mesh, facade, length, storeys, storey, first=int(shop))
    side = Mesh()
    _windows(rng, side, facade._replace(balconies=False), depth, storeys, storey, first=0)
    mesh.join(side, [length / 2, depth / 2, 0], np.pi / 2)
    mesh.join(side, [-length / 2, depth / 2, 0], -np.pi / 2)
    if shop:
        mesh.box([length * 0.94, 0.1, storey * 0.7], [0, 0, storey * 0.42], "glass")
        mesh.box([length * 0.96, rng.uniform(0.1, 1.2), 0.5], [0, -0.1, storey * 0.9], f"cloth{rng.integers(4)}")
    else:
        mesh.box([1.1, 0.12, 2.2], [rng.uniform(-0.4, 0.4) * length, 0, 1.1], "door")
    if flat:
        mesh.box([length + 0.3, depth + 0.3, 0.3], [0, depth / 2, height + 0.1], "stone")
        if rng.random() < 0.5:
            mesh.box([length * 0.3, depth * 0.4, 2.2], [rng.uniform(-0.2, 0.2) * length, depth / 2, height + 1.2], wall)
    else:
        _roof(rng, mesh, length, depth, height, wall)
    return mesh


def _windows(
    rng: np.random.Generator, mesh: Mesh, facade: Facade, length: float, storeys: int, storey: float, first: int
) -> None:
    """Add rows of windows to a wall along x."""
    count = int((length - 0.8) / facade.every)
    if count < 1 or storeys <= first:
        return
    x = (np.arange(count) - (count - 1) / 2) * facade.every
    z = (np.arange(first, storeys) + 0.55) * storey
    places = np.stack([np.tile(x, len(z)), np.zeros(count * len(z)), np.repeat(z, count)], 1)
    places = places[rng.random(len(places)) < 0.95]
    if facade.frame:
        mesh.boxes([facade.width + 0.24, 0.09, facade.height + 0.24], places, "frame")
        mesh.boxes([facade.width + 0.4, 0.3, 0.08], places - [0, 0.05, facade.height / 2 + 0.1], "stone")
    mesh.boxes([facade.width, 0.12, facade.height], places, "glass")
    if facade.frame and facade.width > 1.0:
        mesh.boxes([0.08, 0.14, facade.height], places, "frame")
    if facade.shutters:
        for side in (-1, 1):
            shift = [side * (facade.width * 0.75 + 0.12), -0.05, 0]
            mesh.boxes([facade.width * 0.45, 0.05, facade.height], places + shift, "door")
    if facade.balconies:
        chosen = places[(places[:, 2] > storey) & (rng.random(len(places)) < 0.6)]
        wide = facade.every * 0.9
        foot = chosen - [0, 0.6, facade.height / 2 + 0.5]
        mesh.boxes([wide, 1.3, 0.15], foot, "stone")
        mesh.boxes([wide, 0.05, 0.9], foot + [0, -0.62, 0.5], str(rng.choice(["metal", "glass", "frame"])))


def _roof(rng: np.random.Generator, mesh: Mesh, length: float, depth: float, height: float, wall: str) -> None:
    """Add a gabled or hipped roof, its ridge along x or y."""
    rise, over = rng.uniform(0.25, 0.6) * min(length, depth), 0.4
    across = rng.random() < 0.35  # the gable faces the street
    long, wide = (depth, length) if across else (length, depth)
    hip = 0.0 if rng.random() < 0.6 else rng.uniform(0.3, 0.9) * min(wide, long) / 2
    part = Mesh()
    a, b, e = long / 2 + over, wide / 2 + over, -over * rise / wide * 2
    ridge = a - hip
    slopes = [
        [(-a, -b, e), (a, -b, e), (ridge, 0, rise), (-ridge, 0, rise)],
        [(a, b, e), (-a, b, e), (-ridge, 0, rise), (ridge, 0, rise)],
    ]
    part.quad(slopes, "roof")
    ends = [[(a, -b, e), (a, b, e), (ridge, 0, rise)], [(-a, b, e), (-a, -b, e), (-ridge, 0, rise)]]
    if hip:
        part.add(ends, np.arange(6).reshape(2, 3), "roof")
    else:
        inner = [[(x / a * long / 2, y * wide / 2 / b, z if z == rise else 0) for x, y, z in end] for end in ends]
        part.add(inner, np.arange(6).reshape(2, 3), wall)
    if rng.random() < 0.7:
        part.box([0.6, 0.6, 1.8], [rng.uniform(-0.7, 0.7) * ridge, rng.uniform(-0.2, 0.2) * wide, rise * 0.9], "brick")
    for x in np.arange(-ridge + 1.5, ridge - 1.5, rng.uniform(2.5, 5)) if rng.random() < 0.35 and rise > 2 else ():
        part.box([1.2, wide * 0.3, 1.3], [x, -wide * 0.28, rise * 0.45], wall)
        part.box([0.9, 0.05, 0.9], [x, -wide * 0.43, rise * 0.5], "glass")
    mesh.join(part, [0, depth / 2, height], np.pi / 2 if across else 0.0)


def hall(rng: np.random.Generator, length: float, depth: float) -> Mesh:
    """A hall, a supermarket or a factory."""
    mesh = Mesh()
    height = rng.uniform(4, 9)
    skin = str(rng.choice(["metal wall", "brick", "wall", "concrete"]))
    mesh.box([length, depth, height + 2], [0, depth / 2, height / 2 - 1], skin)
    mesh.box([length + 0.2, depth + 0.2, 0.4], [0, depth / 2, height], "stone")
    for x in np.arange(-length / 2 + 3, length / 2 - 3, rng.uniform(4, 8)):
        if rng.random() < 0.6:
            mesh.box([2.8, 0.1, 2.8], [x, 0, 1.4], str(rng.choice(["door", "glass", "metal"])))
    if rng.random() < 0.6:
        mesh.box([length * 0.9, 0.08, 1.0], [0, 0, height * 0.8], "glass")
    if rng.random() < 0.5:
        mesh.box(
            [rng.uniform(2, 6), 0.2, rng.uniform(0.8, 2)], [rng.uniform(-0.2, 0.2) * length, -0.1, height * 0.7], "sign"
        )
    return mesh


def garages(rng: np.random.Generator, count: int) -> Mesh:
    """A row of garages, 3 m each."""
    mesh = Mesh()
    length, depth, height = 3.0 * count, 5.5, rng.uniform(2.3, 2.9)
    mesh.box(
        [length, depth, height + 1], [0, depth / 2, height / 2 - 0.5], str(rng.choice(["wall", "concrete", "brick"]))
    )
    doors = [[3.0 * (place - (count - 1) / 2), 0, 1.05] for place in range(count)]
    mesh.boxes([2.4, 0.08, 2.1], doors, str(rng.choice(["door", "metal", "frame", "planks"])))
    mesh.box([length + 0.4, depth + 0.4, 0.2], [0, depth / 2, height], "stone")
    return mesh


def shed(rng: np.random.Generator) -> Mesh:
    """A wooden shed, a kiosk or a bus shelter."""
    mesh = Mesh()
    length, depth, height = rng.uniform(2, 5), rng.uniform(1.3, 3), rng.uniform(2.1, 2.7)
    if rng.random() < 0.4:  # a shelter
        mesh.box([length, 0.06, height], [0, depth, height / 2], "glass")
        mesh.boxes([0.08, 0.08, height], [[x, 0.1, height / 2] for x in (-length / 2, length / 2)], "metal")
        mesh.box([length * 0.6, 0.4, 0.08], [0, depth - 0.4, 0.5], "planks")
    else:
        mesh.box(
            [length, depth, height + 0.6], [0, depth / 2, height / 2 - 0.3], str(rng.choice(["planks", "sign", "wall"]))
        )
    mesh.box([length + 0.4, depth + 0.4, 0.12], [0, depth / 2, height + 0.05], "stone")
    return mesh
