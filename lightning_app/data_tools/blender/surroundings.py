"""What stands along the kerbs, and what is seen at the horizon."""

from __future__ import annotations

import numpy as np

from . import furniture
from .geometry import smooth_noise
from .road import END, START
from .street import Street


def line(street: Street, side: int) -> None:
    """Put rows of trees, lamps, poles and small things between the carriageway and the lots of a side, -1 or 1."""
    rng, road = street.rng, street.road
    bands = road.left if side < 0 else road.right
    edge = road.edges[0] if side < 0 else road.edges[1]
    inner = side * (road.half + 0.5)
    near = edge - side * rng.uniform(0.2, 0.6) if bands else edge + side * 0.4
    if street.chance(0.35):
        every, kind = rng.uniform(7, 18), "bare tree" if street.chance(0.12) else "tree"
        for s in np.arange(START + rng.uniform(0, every), 180, every):
            if road.free(s, side, 1.5) and street.chance(0.85):
                street.put(kind, s, near + side * rng.uniform(0, 0.8), rng.uniform(0, 6.3), rng.uniform(0.6, 1.1))
    if street.chance(0.6):
        every = rng.uniform(18, 40)
        for s in np.arange(START + rng.uniform(0, every), 200, every):
            street.put("lamp", s, near, 0.0 if side > 0 else np.pi)
    if "furniture" not in street.without:
        if street.chance(0.15):
            furniture.wires(rng, street.solid, road, near + side * 0.3, rng.uniform(25, 45))
        if street.chance(0.12) and bands:
            steel = street.chance(0.5)
            ends = (rng.uniform(START, 30), rng.uniform(50, 200))
            if steel:
                furniture.guard_rail(street.solid, road, ends, inner)
            else:
                furniture.fence(rng, street.solid, road, ends, inner)
    for _ in range(rng.poisson(9)):
        s = rng.uniform(-5, 120)
        street.put("sign", s, near - side * rng.uniform(0, 0.4), rng.normal(0, 0.5))
        if street.chance(0.7):
            street.put("small thing", rng.uniform(-3, 80), edge - side * rng.uniform(-1.5, 0.5), rng.uniform(0, 6.3))
    for crossing in road.crossings if street.chance(0.5) else ():
        street.put("traffic light", crossing.s - crossing.half - 0.8, near, 0.0)


def horizon(street: Street) -> None:
    """Add the far ground, and hills, woods or roofs around the street."""
    rng, mesh = street.rng, street.solid
    middle = street.road.place((START + END) / 2, 0.0)
    base = (
        float(street.road.place(np.linspace(START, END, 9)[:, None], np.array([-100.0, 100.0])[None])[..., 2].min())
        - 0.5
    )
    angle = np.linspace(0, 2 * np.pi, 73)
    for ring, (radius, height) in enumerate(((210, 9), (330, 22), (600, 60))):
        high = base + np.maximum(0, rng.uniform(0.2, 1) * height * (0.6 + 0.5 * smooth_noise(rng, 73, 24)))
        high[-1] = high[0]
        top = np.stack([middle[0] + radius * np.cos(angle), middle[1] + radius * np.sin(angle), high], 1)
        foot = top * [1, 1, 0] + [0, 0, base - 5]
        mesh.sheet(np.stack([foot, top]), ("far wood", "far wood", "hill")[ring])
    square = np.array([[-900, -900], [900, -900], [900, 900], [-900, 900]], float) + middle[:2]
    mesh.quad(np.column_stack([square, np.full(4, base - 0.5)]), "grass")
    for _ in range(rng.integers(0, 30)):
        size = rng.uniform([8, 8, 6], [40, 25, 30]) * rng.uniform(0.5, 1.2)
        far, turned = rng.uniform(120, 300), rng.uniform(0, 2 * np.pi)
        place = middle + far * np.array([np.cos(turned), np.sin(turned), 0])
        mesh.box(
            size,
            [place[0], place[1], base + size[2] / 2],
            str(rng.choice(["wall", "wall2", "brick"])),
            rng.uniform(0, 3),
        )
