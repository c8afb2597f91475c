"""What stands along streets: poles, lamps, signs, traffic lights, fences, railings, barriers, bridges and tunnels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .geometry import Mesh
from .road import Road


def lamp_post(rng: np.random.Generator) -> Mesh:
    """A street lamp with its arm along -x, 4 to 10 m tall."""
    mesh = Mesh()
    height, reach = rng.uniform(4, 10), rng.uniform(0, 2.5)
    thick = rng.uniform(0.05, 0.1)
    mesh.tube(
        [[0, 0, 0], [0, 0, height * 0.9], [-reach * 0.4, 0, height], [-reach - 0.1, 0, height]],
        [thick, thick * 0.7, thick * 0.6, thick * 0.6],
        "metal",
    )
    mesh.box([0.7, 0.25, 0.15], [-reach, 0, height - 0.05], "frame")
    return mesh


def sign(rng: np.random.Generator) -> Mesh:
    """A traffic sign, a direction sign or an advertisement, facing -y."""
    mesh = Mesh()
    height = rng.uniform(1.8, 3.0)
    kind = rng.choice(["round", "triangle", "square", "board", "column"], p=[0.3, 0.2, 0.2, 0.2, 0.1])
    if kind == "column":  # an advertising pillar
        mesh.tube([[0, 0, 0], [0, 0, 2.8]], 0.6, "sign", 14)
        mesh.tube([[0, 0, 2.8], [0, 0, 3.1]], 0.7, "door", 14)
        return mesh
    if kind == "board":
        width, tall, foot = rng.uniform(1, 4), rng.uniform(0.7, 2.6), rng.uniform(0.4, 2.5)
        mesh.boxes(
            [0.1, 0.1, foot + tall], [[x, 0.06, (foot + tall) / 2] for x in (-width * 0.4, width * 0.4)], "metal"
        )
        mesh.box([width, 0.06, tall], [0, 0, foot + tall / 2], "sign")
        return mesh
    mesh.tube([[0, 0.05, 0], [0, 0.05, height + 0.3]], 0.035, "metal")
    corners = {"round": 14, "triangle": 3, "square": 4}[str(kind)]
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + {3: np.pi / 2, 4: np.pi / 4}.get(corners, 0)
    for radius, y, material in (
        (0.36, 0, "red lamp" if corners != 4 else "plate"),
        (0.27, -0.02, "sign" if corners == 4 else "plate"),
    ):
        circle = np.stack([radius * np.cos(angle), np.full(corners, y), height + radius * np.sin(angle)], 1)
        mesh.loft([circle, circle - [0, 0.015, 0]], material)
    return mesh


def traffic_light(rng: np.random.Generator) -> Mesh:
    """Traffic lights on a pole, some of them on an arm along -x."""
    mesh = Mesh()
    arm = rng.choice([0.0, rng.uniform(2.5, 5)])
    height = 5.3 if arm else 3.2
    mesh.tube([[0, 0, 0], [0, 0, height]], 0.07, "metal")
    heads = [(0.0, 2.7)]
    if arm:
        mesh.tube([[0, 0, height - 0.1], [-arm, 0, height]], 0.05, "metal")
        heads.append((-arm, height - 0.3))
    for x, z in heads:
        mesh.box([0.32, 0.28, 0.95], [x, -0.12, z], "rubber")
        for place, material in enumerate(("green lamp", "lamp", "red lamp")):
            mesh.ball([x, -0.27, z - 0.3 + 0.3 * place], [0.1, 0.03, 0.1], material, 3, 8)
    return mesh


def small_thing(rng: np.random.Generator) -> Mesh:
    """A bin, a bollard, a box, a bench, a hydrant or a stone."""
    mesh = Mesh()
    kind = rng.integers(6)
    if kind == 0:
        mesh.box([0.58, 0.7, 1.05], [0, 0, 0.53], str(rng.choice(["cloth0", "cloth1", "rubber", "door"])))
        mesh.box([0.62, 0.76, 0.08], [0, 0, 1.08], "rubber")
    elif kind == 1:
        mesh.tube(
            [[0, 0, 0], [0, 0, rng.uniform(0.7, 1.1)]],
            rng.uniform(0.05, 0.12),
            str(rng.choice(["plate", "metal", "stone", "red lamp"])),
        )
    elif kind == 2:
        mesh.box(rng.uniform([0.6, 0.3, 0.9], [1.6, 0.6, 1.5]), [0, 0, 0.5], "frame")
    elif kind == 3:
        mesh.box([1.7, 0.45, 0.07], [0, 0, 0.45], "planks")
        mesh.box([1.7, 0.06, 0.4], [0, 0.22, 0.72], "planks")
        mesh.boxes([0.08, 0.4, 0.45], [[-0.7, 0, 0.22], [0.7, 0, 0.22]], "metal")
    elif kind == 4:
        mesh.tube([[0, 0, 0], [0, 0, 0.7]], 0.13, "red lamp", 8)
        mesh.ball([0, 0, 0.75], [0.14, 0.14, 0.14], "red lamp")
    else:
        size = rng.uniform(0.25, 0.9)
        mesh.ball([0, 0, size * 0.4], size * rng.uniform(0.6, 1.2, 3), "stone")
    return mesh


def fence(rng: np.random.Generator, mesh: Mesh, road: Road, s: tuple[float, float], t: float) -> None:
    """Add a fence along the street: palings, boards, wire, bars, a railing, or a wall."""
    kind = rng.choice(["palings", "boards", "wire", "bars", "railing", "wall"])
    height = rng.uniform(0.8, 2.0)
    length = s[1] - s[0]
    posts = np.arange(s[0], s[1], 2.5)
    if kind == "boards":
        road.wall(mesh, s, t, height, 0.05, "planks")
    elif kind == "wall":
        road.wall(mesh, s, t, height * 1.1, 0.25, str(rng.choice(["brick", "stone", "wall", "concrete"])))
    elif kind == "railing":
        for level in np.linspace(0.3, min(height, 1.2), 3):
            road.along(mesh, s, t, level, 0.025, "metal")
        _posts(mesh, road, posts, t, min(height, 1.2), 0.06, "metal")
    elif kind == "wire":
        for level in np.linspace(0.1, height, 7):
            road.along(mesh, s, t, level, 0.012, "metal")
        _posts(mesh, road, posts, t, height + 0.1, 0.06, "metal")
    else:
        every, wide = (0.16, 0.1) if kind == "palings" else (0.13, 0.025)
        material = "planks" if kind == "palings" else "metal"
        _posts(mesh, road, s[0] + np.arange(0, length, every), t, height, wide, material)
        for level in (0.2 * height, 0.85 * height):
            road.along(mesh, s, t + 0.03, level, 0.03, material)


def _posts(mesh: Mesh, road: Road, s: np.ndarray, t: float, height: float, wide: float, material: str) -> None:
    if len(s):
        mesh.boxes([wide, wide, height], road.place(s, t, height / 2), material)


def guard_rail(mesh: Mesh, road: Road, s: tuple[float, float], t: float) -> None:
    """Add a steel guard rail along the street."""
    rows = np.arange(*s, 3.0)
    if len(rows) > 1:
        profile = [(0, 0.5), (0.06, 0.55), (0.02, 0.62), (0.06, 0.7), (0, 0.75), (-0.03, 0.62)]
        mesh.loft(np.stack([road.place(rows, t + x, z) for x, z in profile], 1), "metal")
        _posts(mesh, road, rows, t + 0.08, 0.7, 0.1, "metal")


def wires(rng: np.random.Generator, mesh: Mesh, road: Road, t: float, every: float) -> None:
    """Add poles with sagging wires along the street."""
    height = rng.uniform(6, 9)
    s = np.arange(-20 + rng.uniform(0, every), 200, every)
    for place in s:
        mesh.tube([road.place(place, t), road.place(place, t) + [0, 0, height]], 0.11, "bark")
        mesh.box([0.12, 0.12, 0.12], road.place(place, t, height - 0.3), "metal")
    share = np.linspace(0, 1, 9)[:, None]
    for drop in rng.uniform(0.1, 1.2, rng.integers(1, 4)):
        for first, second in pairwise(s):
            line = road.place(first, t) * (1 - share) + road.place(second, t) * share
            mesh.tube(
                line + np.hstack([share * 0, share * 0, height - drop - 2.5 * share * (1 - share)]), 0.02, "rubber", 4
            )


def bridge(rng: np.random.Generator, mesh: Mesh, road: Road, s: float) -> None:
    """Add a bridge over the street."""
    clear, wide, thick = rng.uniform(4.6, 6.5), rng.uniform(4, 14), rng.uniform(0.8, 1.8)
    skin = str(rng.choice(["concrete", "stone", "brick", "metal wall"]))
    left, right = road.edges[0] - rng.uniform(0.5, 8), road.edges[1] + rng.uniform(0.5, 8)
    base = float(road.place(s, 0.0)[2])
    heading = float(road.heading(s))
    centre = road.place(s, 0.0) * [1, 1, 0] + [0, 0, base]
    deck = Mesh()
    deck.box([right - left + 60, wide, thick], [(left + right) / 2, 0, clear + thick / 2], skin)
    deck.boxes(
        [right - left + 60, 0.12, 1.1],
        [[(left + right) / 2, y, clear + thick + 0.5] for y in (-wide / 2, wide / 2)],
        "metal",
    )
    for x in (left - 1.0, right + 1.0):
        deck.box([2.0, wide, clear + 4], [x, 0, clear / 2 - 2], skin)
    mesh.join(deck, centre, heading)


def tunnel(rng: np.random.Generator, mesh: Mesh, road: Road, s: tuple[float, float], open_side: bool) -> None:
    """Add a tunnel or, with ``open_side``, a gallery with pillars on the left."""
    left, right, high = road.edges[0] - 0.3, road.edges[1] + 0.3, rng.uniform(4.5, 6.5)
    road.wall(mesh, s, right, high, 0.5, "concrete")
    if open_side:
        for place in np.arange(s[0], s[1], 5.0):
            mesh.box([0.5, 0.6, high], road.place(place, left, high / 2), "concrete")
    else:
        road.wall(mesh, s, left, high, 0.5, "concrete")
    rows = np.arange(s[0], s[1] + 2, 2.0)
    foot = [(left - 1, high), (right + 1, high), (right + 1, high + 1), (left - 1, high + 1)]
    height = road.place(rows, 0.0)[:, 2]
    rings = np.stack([road.place(rows, t) for t, _ in foot], 1)
    rings[..., 2] = height[:, None] + np.array([h for _, h in foot])
    mesh.loft(rings, "concrete")
