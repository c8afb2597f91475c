"""Surfaces, drawn anew for each street: colours, stains and patterns from noise, and photographs."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any, NamedTuple

import bpy
import numpy as np

from .shader_nodes import ShaderNodes

Rng = np.random.Generator


class Surface(NamedTuple):
    """What a material looks like.

    Attributes:
        hue, saturation, value: ranges of its colour.
        rough: range of its roughness.
        metal: how metallic it is.
        stains: strength of its coarse and fine noise.
        pattern: bricks, tiles, planks or nothing.
        size: of a brick, tile or plank, metres.
        ground: whether rain makes it wet.
        photo: probability that a photograph covers it, if there are photographs.
        glow: strength of its light.
    """

    hue: tuple[float, float] = (0.0, 1.0)
    saturation: tuple[float, float] = (0.0, 0.1)
    value: tuple[float, float] = (0.2, 0.6)
    rough: tuple[float, float] = (0.6, 0.95)
    metal: float = 0.0
    stains: float = 0.35
    pattern: str = ""
    size: float = 0.3
    ground: bool = False
    photo: float = 0.0
    glow: float = 0.0


_WALL = Surface((0.02, 0.16), (0.0, 0.45), (0.25, 0.85), stains=0.3, photo=0.5)
_CLOTH = Surface((0, 1), (0.1, 0.9), (0.03, 0.6), photo=0.3)
_PAINT = Surface((0.5, 1.1), (0, 0.12), (0.01, 0.8), rough=(0.08, 0.35), stains=0.06, photo=0.12)
_LEAF = Surface((0.17, 0.36), (0.35, 0.8), (0.06, 0.3), rough=(0.4, 0.7), stains=0.6)
_SURFACES = {
    "asphalt": Surface((0.55, 0.7), (0, 0.08), (0.06, 0.16), stains=0.4, ground=True, photo=0.25),
    "old asphalt": Surface((0.05, 0.7), (0, 0.1), (0.12, 0.34), stains=0.6, ground=True, photo=0.4),
    "cobbles": Surface((0.02, 0.7), (0, 0.15), (0.12, 0.35), pattern="tiles", size=0.14, ground=True, photo=0.3),
    "paving": Surface((0.02, 0.1), (0, 0.25), (0.2, 0.5), pattern="tiles", size=0.4, ground=True, photo=0.4),
    "stone": Surface((0.05, 0.15), (0, 0.2), (0.2, 0.6), photo=0.5),
    "concrete": Surface(
        (0.08, 0.6), (0, 0.06), (0.2, 0.5), stains=0.6, pattern="tiles", size=2.5, ground=True, photo=0.4
    ),
    "soil": Surface((0.05, 0.1), (0.2, 0.55), (0.08, 0.35), stains=0.7, ground=True, photo=0.4),
    "grass": Surface((0.19, 0.3), (0.35, 0.75), (0.08, 0.28), stains=0.8, photo=0.4),
    "dry grass": Surface((0.1, 0.17), (0.25, 0.6), (0.2, 0.45), stains=0.8, photo=0.4),
    "kerb": Surface((0.05, 0.6), (0, 0.05), (0.25, 0.6)),
    "marking": Surface((0.1, 0.15), (0, 0.05), (0.6, 0.9), stains=0.5, ground=True),
    "patch": Surface((0.5, 0.7), (0, 0.1), (0.03, 0.22), stains=0.4, ground=True),
    "metal": Surface((0.5, 0.7), (0, 0.1), (0.15, 0.6), (0.3, 0.6), metal=0.7),
    "metal wall": Surface((0, 1), (0, 0.5), (0.2, 0.7), (0.3, 0.7), metal=0.3, pattern="planks", size=0.3),
    "rubber": Surface(value=(0.01, 0.04), rough=(0.5, 0.9)),
    "rim": Surface(value=(0.2, 0.6), rough=(0.2, 0.5), metal=0.8),
    "glass": Surface((0.5, 0.65), (0, 0.3), (0.01, 0.08), (0.02, 0.15), stains=0.15),
    "lamp": Surface((0.1, 0.16), (0.02, 0.2), (0.7, 0.95), (0.1, 0.3), glow=0.3),
    "red lamp": Surface((0.98, 1.02), (0.8, 0.95), (0.2, 0.6), (0.1, 0.4), glow=0.1),
    "green lamp": Surface((0.38, 0.45), (0.7, 0.9), (0.2, 0.6), (0.1, 0.4), glow=0.3),
    "plate": Surface((0.1, 0.16), (0, 0.1), (0.6, 0.9)),
    "skin": Surface((0.04, 0.08), (0.3, 0.6), (0.15, 0.75)),
    "hair": Surface((0.04, 0.12), (0.2, 0.6), (0.02, 0.4)),
    "leaf": _LEAF,
    "leaf2": _LEAF,
    "needle": _LEAF._replace(hue=(0.24, 0.42), value=(0.03, 0.16)),
    "core": _LEAF._replace(value=(0.01, 0.05)),
    "bark": Surface((0.04, 0.12), (0.1, 0.4), (0.06, 0.3), stains=0.7),
    "wall": _WALL,
    "wall2": _WALL._replace(hue=(0, 1), saturation=(0, 0.3)),
    "wall3": _WALL._replace(pattern="tiles", size=0.8),
    "brick": Surface((0.0, 0.08), (0.25, 0.7), (0.15, 0.5), pattern="bricks", size=0.25, photo=0.3),
    "planks": Surface((0.04, 0.13), (0.1, 0.6), (0.1, 0.5), pattern="planks", size=0.16, photo=0.3),
    "roof": Surface((0.0, 0.1), (0.1, 0.65), (0.06, 0.4), pattern="bricks", size=0.3, photo=0.2),
    "frame": Surface((0, 1), (0, 0.2), (0.3, 0.9), stains=0.1),
    "door": Surface((0, 1), (0.1, 0.7), (0.08, 0.6), pattern="planks", size=0.3, photo=0.15),
    "sign": Surface((0, 1), (0, 0.9), (0.2, 0.9), stains=0.9, pattern="tiles", size=0.5, photo=0.8),
    "far wood": Surface((0.2, 0.5), (0.15, 0.5), (0.06, 0.25), stains=0.8),
    "hill": Surface((0.2, 0.6), (0.1, 0.35), (0.15, 0.4), stains=0.6),
    **{f"paint{place}": _PAINT for place in range(6)},  # white, grey, silver, black
    "paint6": _PAINT._replace(hue=(0.96, 1.1), saturation=(0.5, 0.95)),
    "paint7": _PAINT._replace(hue=(0.35, 0.68), saturation=(0.3, 0.9)),
    **{f"cloth{place}": _CLOTH for place in range(4)},
}


class Surfaces:
    """The materials of one street, made when they are first asked for.

    Args:
        rng: their colours and patterns are drawn from it.
        photos: photographs that may cover them.
        plain: no stains, patterns and photographs.
    """

    def __init__(self, rng: Rng, photos: Sequence[str], plain: bool) -> None:
        # Drawn at once, so that the order in which materials are asked for does not matter.
        self._seeds = {name: int(rng.integers(2**32)) for name in _SURFACES}
        self._photos, self._plain = photos, plain
        self._made: dict[str, Any] = {}
        self._wet: list[Any] = []

    def material(self, name: str) -> Any:
        """The material of a name."""
        if name not in self._made:
            self._made[name] = self._make(name, np.random.default_rng(self._seeds[name]))
        return self._made[name]

    def set_wet(self, wet: float) -> None:
        """Make the ground wet (1) or dry (0)."""
        for node in self._wet:
            node.outputs[0].default_value = wet

    def _make(self, name: str, rng: Rng) -> Any:
        surface = _SURFACES[name]
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        tree = ShaderNodes(material.node_tree)
        shader = material.node_tree.nodes["Principled BSDF"]
        colour = _colour(rng, surface)
        rough = rng.uniform(*surface.rough)
        shader.inputs["Metallic"].default_value = surface.metal
        shader.inputs["Roughness"].default_value = rough
        if surface.glow:
            shader.inputs["Emission Color"].default_value = (*colour, 1)
            shader.inputs["Emission Strength"].default_value = surface.glow * rng.uniform(0, 2)
        if self._plain:
            shader.inputs["Base Color"].default_value = (*colour, 1)
            return material
        place = tree.position()
        socket = tree.noise(place, colour, _colour(rng, surface), rng.uniform(0.1, 0.8), surface.stains)
        if surface.pattern:
            socket = tree.pattern(
                surface.pattern, socket, colour * rng.uniform(0.3, 1.3), surface.size * rng.uniform(0.6, 1.8)
            )
        if self._photos and rng.random() < surface.photo:
            photo = str(rng.choice(self._photos))
            socket = tree.photo(place, photo, rng.uniform(0.8, 4.0), socket, rng.uniform(0.3, 1.0))
        socket = tree.noise(
            place, socket, colour * rng.uniform(0.2, 0.9), rng.uniform(2, 30), surface.stains * rng.uniform(0.4, 1.6)
        )
        if surface.ground:
            socket, roughness, wet = tree.wet(place, socket, rough)
            self._wet.append(wet)
            tree.link(roughness, shader.inputs["Roughness"])
        tree.link(socket, shader.inputs["Base Color"])
        return material


def _colour(rng: Rng, surface: Surface) -> Any:
    hue, saturation, value = (rng.uniform(*each) for each in (surface.hue, surface.saturation, surface.value))
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))
