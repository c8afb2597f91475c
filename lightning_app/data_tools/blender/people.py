"""People who stand, walk, or ride a bicycle. They look along y."""

from __future__ import annotations

import numpy as np

from .geometry import Mesh
from .vehicles import bicycle


def person(rng: np.random.Generator) -> Mesh:
    """A person, 1 to 1.95 m tall, standing or in mid-step."""
    mesh = Mesh()
    stride = rng.choice([0.02, rng.uniform(0.1, 0.45)])
    swing = stride * rng.uniform(0.5, 1.2)
    coat, legs = f"cloth{rng.integers(4)}", f"cloth{rng.integers(4)}"
    wide = rng.uniform(0.85, 1.25)
    hip = 0.9
    for side in (-1, 1):
        step, x = side * stride, side * 0.1 * wide
        knee = [x, step * 0.4 + 0.05 * (stride > 0.1), 0.47]
        mesh.tube([[x, 0, hip], knee, [x, step, 0.08]], [0.095 * wide, 0.065, 0.045], legs, 7)
        mesh.ball([x, step + 0.06, 0.05], [0.05, 0.13, 0.05], "rubber", 3, 6)
        shoulder, reach = side * 0.2 * wide, -side * swing
        elbow = [shoulder + side * 0.06, reach * 0.35, 1.13]
        mesh.tube(
            [[shoulder, 0, 1.42], elbow, [shoulder + side * 0.04, reach + 0.04, 0.88]], [0.055, 0.045, 0.035], coat, 6
        )
        mesh.ball([shoulder + side * 0.04, reach + 0.05, 0.84], [0.035, 0.05, 0.06], "skin", 3, 6)
    _torso(mesh, rng, coat, hip, wide)
    if rng.random() < 0.3:
        mesh.box([0.3, 0.16, 0.42], [0, -0.2, 1.22], f"cloth{rng.integers(4)}")  # a rucksack
    scaled = Mesh()
    size = rng.normal(1.0, 0.06) if rng.random() < 0.88 else rng.uniform(0.6, 0.8)
    scaled.join(mesh, scale=float(np.clip(size, 0.58, 1.12)))
    return scaled


def _torso(mesh: Mesh, rng: np.random.Generator, coat: str, hip: float, wide: float, lean: float = 0.0) -> None:
    levels = np.array([hip - rng.choice([0.1, 0.1, 0.4]), hip, 1.15, 1.36, 1.46])
    half = np.array([0.19, 0.18, 0.16, 0.2, 0.1]) * wide
    angle = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    rings = [
        np.stack([r * np.cos(angle), r * 0.62 * np.sin(angle) + lean * (z - hip), 0 * angle + z], 1)
        for r, z in zip(half, levels, strict=True)
    ]
    mesh.loft(rings, coat)
    forward = lean * 0.7
    mesh.tube([[0, forward, 1.44], [0, forward, 1.56]], 0.05, "skin", 6)
    mesh.ball([0, forward + 0.01, 1.64], [0.08, 0.1, 0.125], "skin")
    mesh.ball([0, forward - 0.02, 1.67], [0.088, 0.105, 0.115], str(rng.choice(["hair", "hair", "cloth0", "cloth3"])))


def cyclist(rng: np.random.Generator) -> Mesh:
    """A person on a bicycle."""
    mesh = Mesh()
    mesh.join(bicycle(rng))
    coat, legs = f"cloth{rng.integers(4)}", f"cloth{rng.integers(4)}"
    for side, foot in ((-1, 0.12), (1, 0.48)):
        x = side * 0.1
        mesh.tube([[x, -0.25, 0.98], [x, 0.08, 0.78 + foot / 4], [x, -0.1, foot + 0.05]], [0.09, 0.07, 0.045], legs, 6)
        mesh.tube(
            [[side * 0.2, 0.1, 1.42], [side * 0.26, 0.28, 1.2], [side * 0.26, 0.32, 1.06]],
            [0.05, 0.045, 0.035],
            coat,
            5,
        )
    body = Mesh()
    _torso(body, rng, coat, 0.9, rng.uniform(0.9, 1.1), lean=0.6)
    mesh.join(body, [0, -0.25, 0.08])
    return mesh
