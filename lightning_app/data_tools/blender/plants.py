"""Trees, bushes, hedges and grass, with leaves as single polygons: their silhouettes are real."""

from __future__ import annotations

import numpy as np

from .geometry import Mesh, Points


def leaves(rng: np.random.Generator, mesh: Mesh, centres: Points, size: float, material: str) -> None:
    """Add a leaf, or a bunch of leaves, of ``size`` metres with a random orientation at each of ``centres`` (N, 3)."""
    count = len(centres)
    first = rng.normal(size=(count, 3))
    second = np.cross(first, rng.normal(size=(count, 3)))
    scale = size * rng.uniform(0.5, 1.3, (count, 1))
    first *= scale / (np.linalg.norm(first, axis=1, keepdims=True) + 1e-9)
    second *= 0.6 * scale / (np.linalg.norm(second, axis=1, keepdims=True) + 1e-9)
    corners = np.stack([centres - first, centres - second, centres + first, centres + second], 1)
    mesh.quad(corners, material)


def _in_ball(rng: np.random.Generator, count: int, hollow: float = 0.5) -> Points:
    """Points in the unit ball, most of them near its surface."""
    points = rng.normal(size=(count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points * rng.uniform(hollow, 1, (count, 1)) ** 0.5


def broadleaf(rng: np.random.Generator, bare: bool = False) -> Mesh:
    """A broad-leaved tree, 5 to 16 m tall; without leaves if ``bare``."""
    mesh = Mesh()
    height = rng.uniform(5, 16)
    trunk = height * rng.uniform(0.15, 0.4)
    spread = height * rng.uniform(0.22, 0.42)
    thick = height * rng.uniform(0.012, 0.03)
    lean = rng.normal(0, 0.05, 2)
    levels = np.linspace(0, 1, 6)[:, None]
    axis = np.hstack([levels * lean * height + rng.normal(0, 0.04, (6, 2)) * levels, levels * height * 0.8])
    mesh.tube(axis, thick * (1.3 - levels[:, 0]), "bark", 7)
    tips = []
    for _ in range(rng.integers(9, 18)):
        start = rng.uniform(trunk / height / 0.8, 0.95)
        root = np.array([np.interp(start, levels[:, 0], axis[:, each]) for each in range(3)])
        angle = rng.uniform(0, 2 * np.pi)
        reach = spread * rng.uniform(0.5, 1.0) * (1.15 - 0.6 * start)
        rise = rng.uniform(0.1, 0.9) * reach
        tip = root + [reach * np.cos(angle), reach * np.sin(angle), rise]
        middle = (root + tip) / 2 + [0, 0, rng.uniform(-0.1, 0.25) * reach]
        mesh.tube([root, middle, tip], [thick * 0.5, thick * 0.33, thick * 0.12], "bark", 5)
        tips += [tip, (middle + tip) / 2]
        for _ in range(5 if bare else 2):
            end = tip + rng.normal(0, 0.35, 3) * reach
            mesh.tube([(middle + tip) / 2, end], [thick * 0.2, thick * 0.06], "bark", 4)
            tips.append(end)
    if not bare:
        blob = spread * rng.uniform(0.28, 0.45)
        per_blob = int(rng.integers(80, 170))
        for tip in [*tips, axis[-1]]:
            centres = tip + _in_ball(rng, per_blob) * blob * [1, 1, rng.uniform(0.6, 0.9)]
            leaves(rng, mesh, centres, rng.uniform(0.1, 0.22), "leaf" if rng.random() < 0.7 else "leaf2")
    return mesh


def conifer(rng: np.random.Generator) -> Mesh:
    """A fir, pine or cypress, 4 to 20 m tall."""
    mesh = Mesh()
    height = rng.uniform(4, 20)
    width = height * rng.uniform(0.1, 0.24)
    bottom = height * rng.choice([0.02, 0.12, 0.4])
    mesh.tube([[0, 0, 0], [0, 0, height]], [height * 0.018, 0.02], "bark", 6)
    count = int(rng.integers(900, 2200))
    level = rng.uniform(0, 1, count) ** 1.4
    layer = np.floor(level * 14) / 14 + 0.3 * (level - np.floor(level * 14) / 14)
    radius = width * (1 - layer) * rng.uniform(0.2, 1, count) ** 0.5
    angle = rng.uniform(0, 2 * np.pi, count)
    up = bottom + (height - bottom) * layer - 0.3 * radius
    centres = np.stack([radius * np.cos(angle), radius * np.sin(angle), up], 1)
    leaves(rng, mesh, centres, rng.uniform(0.2, 0.4), "needle")
    return mesh


def bush(rng: np.random.Generator) -> Mesh:
    """A bush, 0.5 to 2.5 m tall."""
    mesh = Mesh()
    height, width = rng.uniform(0.5, 2.5), rng.uniform(0.5, 1.6)
    for _ in range(rng.integers(2, 6)):
        place = np.append(rng.normal(0, width / 3, 2), height * rng.uniform(0.3, 0.6))
        centres = place + _in_ball(rng, int(rng.integers(120, 300)), 0.3) * [width, width, height * 0.5]
        centres = centres[centres[:, 2] > 0]
        leaves(rng, mesh, centres, rng.uniform(0.05, 0.12), rng.choice(["leaf", "leaf2", "needle"]))
    return mesh


def undergrowth(rng: np.random.Generator) -> Mesh:
    """A piece of the edge of a wood: 6 m of bushes, saplings and low branches, up to 7 m tall."""
    mesh = Mesh()
    for _ in range(rng.integers(5, 10)):
        mesh.join(bush(rng), np.append(rng.uniform(-3, 3, 2) * [1, 0.4], 0), 0.0, rng.uniform(0.8, 1.8))
    count = int(rng.integers(3000, 7000))
    centres = rng.uniform([-3, -1, 0], [3, 1.5, 1], (count, 3))
    centres[:, 2] = centres[:, 2] ** 0.8 * rng.uniform(2.5, 7)
    clumps = rng.uniform([-3, -1, 0.5], [3, 1.5, 5], (25, 3))
    near = np.linalg.norm(centres[:, None] - clumps, axis=2).min(1)
    leaves(rng, mesh, centres[near < rng.uniform(0.9, 1.6)], rng.uniform(0.06, 0.12), "leaf")
    return mesh


def hedge(rng: np.random.Generator, length: float, height: float, width: float) -> Mesh:
    """A clipped hedge along x, with leaves over a dark core."""
    mesh = Mesh()
    mesh.box([length, width * 0.75, height * 0.93], [0, 0, height * 0.465], "core")
    count = int(min(4000, 130 * length * (height + width / 2)))
    centres = rng.uniform([-length / 2, -width / 2, 0], [length / 2, width / 2, height], (count, 3))
    side = rng.random(count)
    centres[:, 1] = np.where(side < 0.42, -width / 2, np.where(side < 0.84, width / 2, centres[:, 1]))
    centres[:, 2] = np.where(side > 0.84, height, centres[:, 2])
    centres += rng.normal(0, 0.05, (count, 3))
    leaves(rng, mesh, centres, rng.uniform(0.05, 0.1), "leaf2")
    return mesh


def tufts(rng: np.random.Generator) -> Mesh:
    """A few square metres of tall grass and weeds."""
    mesh = Mesh()
    count = int(rng.integers(100, 300))
    root = np.hstack([rng.uniform(-1.5, 1.5, (count, 2)), np.zeros((count, 1))])
    tip = root + np.hstack([rng.normal(0, 0.12, (count, 2)), rng.uniform(0.1, 0.6, (count, 1))])
    side = np.hstack([rng.normal(0, 0.025, (count, 2)), np.zeros((count, 1))])
    mesh.add(np.stack([root - side, root + side, tip], 1), np.arange(3 * count).reshape(-1, 3), "grass")
    return mesh
