"""Cars, vans, lorries, buses, motorcycles and bicycles. They point along y and stand on z = 0."""

from __future__ import annotations

import numpy as np

from .geometry import Mesh

# Profiles from the rear to the front bumper: share of the length, height of the bonnet or belt line, height of the roof
# (as the belt line where there is no cabin), both as shares of the height of the car.
_PROFILES = {
    "hatchback": [
        (0, 0.45, 0.45), (0.02, 0.62, 0.64), (0.12, 0.62, 0.95), (0.3, 0.62, 1),
        (0.52, 0.62, 0.97), (0.7, 0.62, 0.66), (0.92, 0.5, 0.52), (1, 0.4, 0.4),
    ],
    "saloon": [
        (0, 0.5, 0.5), (0.02, 0.66, 0.66), (0.17, 0.68, 0.7), (0.3, 0.66, 0.97), (0.45, 0.65, 1),
        (0.55, 0.64, 0.97), (0.7, 0.63, 0.67), (0.94, 0.52, 0.54), (1, 0.42, 0.42),
    ],
    "estate": [
        (0, 0.45, 0.45), (0.02, 0.62, 0.66), (0.08, 0.62, 0.96), (0.3, 0.62, 1),
        (0.54, 0.62, 0.97), (0.7, 0.62, 0.66), (0.94, 0.51, 0.53), (1, 0.4, 0.4),
    ],
    "suv": [
        (0, 0.48, 0.48), (0.02, 0.62, 0.66), (0.08, 0.62, 0.96), (0.3, 0.62, 1),
        (0.56, 0.62, 0.97), (0.7, 0.62, 0.68), (0.94, 0.57, 0.59), (1, 0.42, 0.42),
    ],
    "van": [
        (0, 0.4, 0.4), (0.01, 0.5, 0.97), (0.2, 0.5, 1), (0.7, 0.5, 1),
        (0.78, 0.5, 0.96), (0.9, 0.5, 0.54), (0.98, 0.4, 0.42), (1, 0.3, 0.3),
    ],
    "pickup": [
        (0, 0.5, 0.5), (0.02, 0.6, 0.6), (0.38, 0.6, 0.6), (0.4, 0.6, 0.95), (0.5, 0.6, 1),
        (0.58, 0.6, 0.97), (0.7, 0.6, 0.64), (0.95, 0.54, 0.56), (1, 0.42, 0.42),
    ],
}  # fmt: skip
_SIZES = {  # length, width, height
    "hatchback": (4.0, 1.75, 1.48),
    "saloon": (4.6, 1.8, 1.45),
    "estate": (4.7, 1.82, 1.5),
    "suv": (4.6, 1.9, 1.75),
    "van": (5.4, 2.0, 2.3),
    "pickup": (5.3, 1.9, 1.8),
}
CARS = tuple(_SIZES)


def car(rng: np.random.Generator, paint: str, kind: str | None = None) -> Mesh:
    """A car or small van of a random shape, 3.6 to 6 m long, in the material ``paint``."""
    mesh = Mesh()
    kind = kind or str(rng.choice(CARS, p=[0.3, 0.16, 0.2, 0.18, 0.11, 0.05]))
    length, width, height = np.array(_SIZES[kind]) * rng.uniform([0.92, 0.95, 0.95], [1.08, 1.05, 1.08])
    profile = np.array(_PROFILES[kind]) + np.pad(rng.normal(0, 0.012, (len(_PROFILES[kind]), 2)), ((0, 0), (1, 0)))
    floor, half, narrow = rng.uniform(0.16, 0.24), width / 2, rng.uniform(0.78, 0.88)
    rings = []
    for share, belt, roof in profile:
        end = 0.93 if share in (0, 1) else 1.0
        y, belt, roof = length * (share - 0.5), belt * height, max(roof, belt) * height
        top = half * end * (narrow if roof - belt > 0.15 else 0.96)
        side = [
            (half * end * 0.97, floor),
            (half * end, (floor + belt) / 2),
            (half * end * 0.98, belt),
            (top, roof - 0.02),
        ]
        outline = [*side, (top * 0.55, roof + 0.015)]
        rings.append(np.insert(outline + [(-x, z) for x, z in reversed(outline)], 1, y, axis=1))
    cargo = kind == "van" and rng.random() < 0.6  # no side windows behind the cab
    for place in range(len(rings) - 1):
        cabin = [profile[each, 2] - profile[each, 1] > 0.12 for each in (place, place + 1)]
        strips = [paint] * 10
        if all(cabin) and not (cargo and profile[place, 0] < 0.6):
            strips[2] = strips[6] = "glass"
        if sum(cabin) == 1 and not (cargo and profile[place, 0] < 0.3):
            strips[2:7] = ["glass"] * 5
        mesh.loft(rings[place : place + 2], paint, strips, caps=False)
    for ring in (rings[0][::-1], rings[-1]):
        mesh.loft([ring, ring * [0.98, 1, 1]], paint)
    _wheels(mesh, length * rng.uniform(0.28, 0.32), half, rng.uniform(0.29, 0.37) * height / 1.5)
    front, back = length / 2 + 0.01, -length / 2 - 0.01
    light = np.array([0.32, 0.05, 0.13])
    for x in (-half * 0.72, half * 0.72):
        mesh.box(light, [x, front - 0.03, height * 0.4], "lamp")
        mesh.box(light, [x, back + 0.03, height * rng.uniform(0.45, 0.55)], "red lamp")
        mesh.box([0.2, 0.1, 0.14], [np.sign(x) * (half + 0.08), length * 0.14, height * 0.66], paint)
    for y in (front, back):
        mesh.box([0.52, 0.03, 0.11], [0, y, height * 0.28], "plate")
    mesh.box([width * 0.6, 0.04, 0.16], [0, front, height * 0.2], "rubber")
    return mesh


def _wheels(mesh: Mesh, axle: float, half: float, radius: float, rows: tuple[float, ...] = (-1, 1)) -> None:
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    for row in rows:
        for side in (-1, 1):
            for share, thick, material in ((1.0, 0.22, "rubber"), (0.62, 0.235, "rim")):
                circle = np.stack([np.zeros(14), np.cos(angle), np.sin(angle)], 1) * radius * share
                centre = np.array([side * (half - 0.1), row * axle, radius])
                rings = [circle + centre - [thick / 2, 0, 0], circle + centre + [thick / 2, 0, 0]]
                mesh.loft(rings, material)


def lorry(rng: np.random.Generator, paint: str) -> Mesh:
    """A lorry, 6 to 14 m long: a cab, and a box, a tank or an open bed."""
    mesh = Mesh()
    length, half = rng.uniform(6, 14), rng.uniform(1.1, 1.27)
    high = rng.uniform(2.4, 3.0)
    cab, front = rng.uniform(1.6, 2.3), length / 2
    mesh.box([half * 1.2, length - 0.3, 0.3], [0, 0, 0.85], "rubber")
    side = [(half, 0.45), (half, high * 0.55), (half * 0.98, high * 0.92), (half * 0.9, high)]
    ring = np.array([*side, *((-x, z) for x, z in reversed(side))])
    rings = [
        np.insert(ring * [1, scale], 1, y, axis=1) for y, scale in ((front - cab, 1), (front - 0.3, 1), (front, 0.97))
    ]
    mesh.loft(rings, paint)
    mesh.box([half * 1.7, 0.04, high * 0.3], [0, front + 0.01, high * 0.7], "glass")
    mesh.boxes([0.04, cab * 0.5, high * 0.26], [[x, front - cab * 0.45, high * 0.7] for x in (-half, half)], "glass")
    mesh.boxes([0.3, 0.05, 0.2], [[x, front + 0.01, 0.7] for x in (-half * 0.75, half * 0.75)], "lamp")
    bed, kind = length - cab - 0.2, rng.choice(["box", "box", "tank", "open"])
    middle = -length / 2 + bed / 2
    if kind == "box":
        tall = rng.uniform(2.0, 2.9)
        mesh.box([2 * half, bed, tall], [0, middle, 1.05 + tall / 2], str(rng.choice(["sign", "wall", paint])))
    elif kind == "tank":
        ys = np.linspace(middle - bed / 2, middle + bed / 2, 5)
        mesh.tube(np.stack([np.zeros(5), ys, np.full(5, 2.05)], 1), [0.7, 1, 1, 1, 0.7], "metal", 14)
    else:
        mesh.boxes([[0.06, bed, 0.7]] * 2, [[x, middle, 1.4] for x in (-half, half)], paint)
        mesh.box([2 * half, bed, 0.1], [0, middle, 1.05], "planks")
        mesh.box([half * 1.4, bed * 0.7, rng.uniform(0.4, 1.6)], [0, middle, 1.6], "stone")
    rear = -length / 2 - 0.02
    mesh.boxes([0.4, 0.04, 0.16], [[x, rear, 0.8] for x in (-half * 0.75, half * 0.75)], "red lamp")
    rows = (-1.0, 0.95) if length < 8 else (-1.0, -0.72, 0.95)
    _wheels(mesh, length * 0.38, half, rng.uniform(0.45, 0.52), rows)
    return mesh


def bus(rng: np.random.Generator, paint: str) -> Mesh:
    """A bus or a tram, 9 to 18 m long."""
    mesh = Mesh()
    length, half, high = rng.uniform(9, 18), 1.26, rng.uniform(2.9, 3.4)
    side = [(half, 0.3), (half, 1.1), (half, 2.3), (half * 0.97, high * 0.95), (half * 0.8, high)]
    ring = np.array([*side, *((-x, z) for x, z in reversed(side))])
    rings = [np.insert(ring, 1, y, axis=1) for y in (-length / 2, length / 2)]
    mesh.loft(rings, paint)
    posts = np.arange(-length / 2 + 0.5, length / 2 - 0.8, rng.uniform(1.2, 1.8))
    for x in (-half, half):
        mesh.boxes([0.05, posts[1] - posts[0] - 0.15, 1.05], [[x, y + 0.6, 1.75] for y in posts], "glass")
    mesh.box([half * 1.8, 0.05, 1.5], [0, length / 2 + 0.01, 1.9], "glass")
    mesh.box([half * 1.5, 0.05, 0.9], [0, -length / 2 - 0.01, 2.1], "glass")
    mesh.box([half * 1.2, 0.06, 0.25], [0, length / 2 + 0.02, high - 0.25], "lamp")
    mesh.boxes([0.3, 0.06, 0.2], [[x, -length / 2, 0.9] for x in (-1, 1)], "red lamp")
    _wheels(mesh, length * 0.32, half, 0.48)
    return mesh


def trailer(rng: np.random.Generator, paint: str) -> Mesh:
    """A small trailer, or a caravan."""
    mesh = Mesh()
    length, high = rng.uniform(2, 5), rng.uniform(0.8, 2.3)
    mesh.box([1.7, length, high], [0, 0, 0.45 + high / 2], paint)
    mesh.box([0.1, 1.2, 0.1], [0, length / 2 + 0.6, 0.5], "metal")
    _wheels(mesh, 0.0, 0.85, 0.3, (0.0,))
    return mesh


def bicycle(rng: np.random.Generator) -> Mesh:
    """A bicycle."""
    mesh = Mesh()
    angle = np.linspace(0, 2 * np.pi, 17)
    for y in (-0.52, 0.52):
        mesh.tube(np.stack([0 * angle, y + 0.33 * np.cos(angle), 0.34 + 0.33 * np.sin(angle)], 1), 0.022, "rubber", 4)
    frame = [[0, -0.52, 0.34], [0, -0.15, 0.32], [0, 0.42, 0.85], [0, -0.25, 0.82], [0, -0.15, 0.32]]
    mesh.tube(frame, 0.022, str(rng.choice(["metal", "red lamp", "rubber"])), 5)
    mesh.tube([[0, 0.52, 0.34], [0, 0.4, 1.02], [-0.28, 0.3, 1.04]], 0.02, "metal", 4)
    mesh.tube([[0, 0.4, 1.02], [0.28, 0.3, 1.04]], 0.02, "metal", 4)
    mesh.box([0.16, 0.26, 0.06], [0, -0.28, 0.95], "rubber")
    return mesh


def motorcycle(rng: np.random.Generator, paint: str) -> Mesh:
    """A motorcycle or a scooter."""
    mesh = Mesh()
    angle = np.linspace(0, 2 * np.pi, 15)
    for y in (-0.68, 0.68):
        mesh.tube(np.stack([0 * angle, y + 0.26 * np.cos(angle), 0.3 + 0.26 * np.sin(angle)], 1), 0.06, "rubber", 6)
    mesh.ball([0, 0.12, 0.75], [0.17, 0.38, 0.18], paint)
    mesh.ball([0, -0.4, 0.78], [0.15, 0.42, 0.1], "rubber")
    mesh.box([0.26, 0.5, 0.35], [0, 0, 0.42], "metal")
    mesh.tube([[0, 0.68, 0.3], [0, 0.45, 1.0], [-0.36, 0.35, 1.02]], 0.035, "metal", 5)
    mesh.tube([[0, 0.45, 1.0], [0.36, 0.35, 1.02]], 0.035, "metal", 5)
    mesh.ball([0, 0.56, 0.86], [0.1, 0.06, 0.1], "lamp")
    return mesh
