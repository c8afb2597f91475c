"""What is painted on a street, and who drives, parks, walks and rides there."""

from __future__ import annotations

import numpy as np

from .road import END, START
from .street import Street


def markings(street: Street, name: str, town: bool) -> None:
    """Add lane lines, crosswalks, tram tracks, patches, cracks and manholes."""
    rng, road, mesh = street.rng, street.road, street.solid
    half = road.half
    if name not in ("square", "lane", "car park") and street.chance(0.75):
        if name == "highway":
            lines = [(t, True) for t in np.arange(-half + 0.8, half - 1, 3.6)]
        else:
            lines = [(0.0, street.chance(0.8))] if half > 2.4 else []
            lines += [(side * half * 0.5, True) for side in (-1, 1) if half > 6]
        dash, gap = rng.choice(np.array([[3, 6], [6, 12], [1.5, 1.5], [4, 8]]))
        for t, dashed in lines:
            step = dash + gap if dashed else 20.0
            for s in np.arange(START, END - 20, step):
                road.strip(mesh, (s, s + (dash if dashed else 20)), (t - 0.06, t + 0.06), "marking")
        if name in ("highway", "country", "wood") or street.chance(0.3):
            for side in (-1, 1):
                road.strip(mesh, (START, END - 1), (side * (half - 0.3) - 0.07, side * (half - 0.3) + 0.07), "marking")
    for crossing in road.crossings if town else ():
        if street.chance(0.5):
            s = crossing.s - crossing.half - 2.5
            for t in np.arange(-half + 0.3, half - 0.5, 1.0):
                road.strip(mesh, (s - 1.5, s + 1.5), (t, t + 0.5), "marking")
        road.strip(mesh, (crossing.s - crossing.half - 5, crossing.s - crossing.half - 4.5), (0.2, half), "marking")
    if name in ("city", "suburb") and street.chance(0.12):
        middle = rng.choice([0.0, half * 0.5])
        for t in (middle - 0.72, middle + 0.72):
            road.strip(mesh, (START, END - 1), (t - 0.035, t + 0.035), "metal", 0.008)
            road.strip(mesh, (START, END - 1), (t - 0.12, t + 0.12), "soil", 0.004)
    for _ in range(rng.poisson(14)):
        s, t = rng.uniform(-5, 80), rng.uniform(-half + 0.5, half - 1.5)
        long, wide = rng.choice([[0.7, 0.7], [rng.uniform(1, 15), rng.uniform(0.1, 2)], [rng.uniform(3, 12), 0.04]])
        road.strip(mesh, (s, s + long), (t, min(t + wide, half)), str(rng.choice(["patch", "patch", "soil"])), 0.003)
    for _ in range(rng.poisson(1.5)):  # arrows and letters
        s, t = rng.uniform(2, 60), rng.uniform(-half * 0.7, half * 0.7)
        road.strip(mesh, (s, s + rng.uniform(1.5, 4)), (t, t + 0.25), "marking")
        road.strip(mesh, (s, s + 0.5), (t - 0.4, t + 0.65), "marking", 0.007)


def place_parked(street: Street, share: float, lane: float) -> None:
    """Park cars along the kerbs; the camera's ``lane`` stays free."""
    rng, road = street.rng, street.road
    for side in (-1, 1):
        wanted = share * rng.uniform(0, 1.2)
        bands = road.left if side < 0 else road.right
        bay = bool(bands) and bands[0].height == 0
        t = side * (road.half + bands[0].width / 2 if bay else road.half - rng.uniform(0.6, 1.0))
        if not bay and abs(t - lane) < 2.4:
            t = side * (road.half + 0.5)  # on the pavement
            if abs(t - lane) < 2.4:
                continue
        direction = 0.0 if side > 0 or street.chance(0.3) else np.pi
        s = START + rng.uniform(0, 6)
        while s < 190:
            if street.chance(wanted) and road.free(s, side, 3):
                thing = str(
                    rng.choice(
                        ["car", "van", "lorry", "trailer", "motorcycle", "bicycle"],
                        p=[0.84, 0.06, 0.02, 0.02, 0.03, 0.03],
                    )
                )
                street.put(
                    thing, s, t + rng.normal(0, 0.12), direction + rng.normal(0, 0.03) + np.pi * street.chance(0.1)
                )
                s += 9 if thing == "lorry" else 2 if thing in ("motorcycle", "bicycle") else rng.uniform(5.2, 6.8)
            else:
                s += rng.uniform(2, 12)


def place_moving(street: Street, density: float, lane: float, frames_end: float, oneway: bool) -> None:
    """Put vehicles on the lanes and on side streets: behind ``frames_end`` in the camera's lane, anywhere in others."""
    rng, road = street.rng, street.road
    centres = (
        np.arange(-road.half + 2.0, road.half - 1, 3.6) if road.half > 5 else np.array([-road.half / 2, road.half / 2])
    )
    things = ["car", "van", "lorry", "bus", "motorcycle", "cyclist"]
    chances = [0.64, 0.1, 0.16, 0.04, 0.06, 0.0] if oneway else [0.72, 0.08, 0.05, 0.06, 0.03, 0.06]
    for t in centres:
        own = abs(t - lane) < 2.9
        s = frames_end + 7 + rng.exponential(35) if own else START + rng.uniform(0, 30)
        while s < 200:
            thing = str(rng.choice(things, p=chances))
            coming = t < 0 and not (oneway and t > -road.half * 0.2)
            street.put(thing, s, t + rng.normal(0, 0.2), np.pi * coming + rng.normal(0, 0.02))
            s += max(
                12.0 if thing in ("lorry", "bus") else 8.0, rng.exponential(100 * len(centres) / max(density, 0.1))
            )
    for crossing in road.crossings:
        for _ in range(rng.poisson(0.8)):
            side = rng.choice([-1, 1])
            if crossing.left if side < 0 else crossing.right:
                t = side * (road.half + rng.uniform(2, 25))
                street.put(
                    "car", crossing.s + rng.choice([-0.4, 0.4]) * crossing.half, t, np.pi / 2 * rng.choice([-1, 1])
                )
        if crossing.s > frames_end + 8 and street.chance(0.4):
            street.put(
                "car",
                crossing.s,
                rng.uniform(-road.half, road.half),
                np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.3),
            )


def place_people(street: Street, density: float, lane: float, frames_end: float) -> None:
    """Put people and cyclists on pavements, and some on the carriageway."""
    rng, road = street.rng, street.road
    for _ in range(rng.poisson(density * rng.uniform(0, 2))):
        s = float(rng.choice([rng.uniform(1, 25), rng.uniform(5, 90)]))
        side = rng.choice([-1, 1])
        inner, outer = road.half + 0.3, max(abs(road.edges[0 if side < 0 else 1]) - 0.3, road.half + 0.8)
        t = side * rng.uniform(inner, outer)
        if street.chance(0.2) or density > 10:
            t = rng.uniform(-road.half, road.half)
        if abs(t - lane) < 1.3 and s < frames_end + 4:
            continue
        for _ in range(1 + rng.poisson(0.5)):
            thing = "cyclist" if street.chance(0.12) else "bicycle" if street.chance(0.06) else "person"
            heading = rng.choice([0, np.pi]) + rng.normal(0, 0.5 if thing == "person" else 0.1)
            street.put(thing, s + rng.normal(0, 0.3), t + rng.normal(0, 0.35), heading)
