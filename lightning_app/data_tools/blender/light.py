"""Sun and sky of a variation."""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy
import numpy as np

Rng = np.random.Generator


class Weather(NamedTuple):
    """Ranges from which the light of a variation is drawn.

    Attributes:
        height: of the sun above the horizon, degrees.
        sun: its strength against the sky's.
        soft: its diameter, degrees.
        warm: how red the sunlight is, from 0 to 1.
        cloud: share of the sky that is covered.
        wet: how wet the ground is.
    """

    height: tuple[float, float]
    sun: tuple[float, float]
    soft: tuple[float, float] = (0.5, 2)
    warm: tuple[float, float] = (0.05, 0.25)
    cloud: tuple[float, float] = (0.0, 0.6)
    wet: tuple[float, float] = (0, 0)


_CLEAR = Weather((20, 60), (6, 18))
WEATHER = {
    "clone": _CLEAR,
    "morning": Weather((5, 18), (4, 14), warm=(0.3, 0.6)),
    "sunset": Weather((1.5, 8), (2, 10), warm=(0.5, 0.9)),
    "overcast": Weather((20, 60), (0, 0.6), (15, 60), cloud=(0.9, 1)),
    "fog": Weather((15, 50), (0, 0.8), (20, 60), cloud=(0.9, 1), wet=(0, 0.4)),
    "rain": Weather((15, 50), (0, 0.3), (20, 60), cloud=(1, 1), wet=(0.6, 1)),
    "15-deg-left": _CLEAR,
    "15-deg-right": _CLEAR,
    "30-deg-left": _CLEAR,
    "30-deg-right": _CLEAR,
}


def set_weather(rng: Rng, variation: str) -> float:
    """Set the sun and the sky of a scene, and return how wet its ground is."""
    weather = WEATHER[variation]
    height, sun, soft, warm, cloud, wet = (float(rng.uniform(*each)) for each in weather)
    tint = np.array([1, 1 - 0.35 * warm, 1 - 0.75 * warm])
    scene = bpy.context.scene
    lamp = bpy.data.lights.new("sun", "SUN")
    lamp.energy, lamp.angle, lamp.color = sun, np.radians(soft), tuple(tint)
    thing = bpy.data.objects.new("sun", lamp)
    thing.rotation_euler = (np.radians(90 - height), 0, rng.uniform(0, 2 * np.pi))
    scene.collection.objects.link(thing)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    world.cycles.sampling_method = "NONE"  # smooth enough, and computing its map takes longer than a frame
    _sky(rng, world.node_tree, tint, warm, cloud)
    scene.world = world
    return wet


def clear_weather() -> None:
    """Remove the sun and the sky of :func:`set_weather`."""
    for light in list(bpy.data.lights):
        bpy.data.lights.remove(light)
    for world in list(bpy.data.worlds):
        bpy.data.worlds.remove(world)


def _sky(rng: Rng, tree: Any, tint: np.ndarray, warm: float, cloud: float) -> None:
    """A sky that is bright at the horizon, and clouds from noise."""
    new, link = tree.nodes.new, tree.links.new
    background = tree.nodes["Background"]
    place, split = new("ShaderNodeTexCoord"), new("ShaderNodeSeparateXYZ")
    link(place.outputs["Generated"], split.inputs[0])
    ramp = new("ShaderNodeValToRGB")
    link(split.outputs[2], ramp.inputs[0])
    zenith = np.array([0.1, 0.25, 0.68]) * rng.uniform(0.8, 1.5) + 0.15 * cloud
    horizon = np.array([0.62, 0.8, 1.0]) * (1 - warm) + np.array([1.0, 0.65, 0.35]) * warm
    ramp.color_ramp.elements[0].color = (*(horizon * rng.uniform(0.9, 1.4)), 1)
    ramp.color_ramp.elements[1].color = (*zenith, 1)
    ramp.color_ramp.elements[1].position = rng.uniform(0.25, 0.7)
    noise = new("ShaderNodeTexNoise")
    link(place.outputs["Generated"], noise.inputs["Vector"])
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = rng.uniform(1.5, 6), 4.0
    noise.noise_dimensions = "4D"
    noise.inputs["W"].default_value = rng.uniform(0, 100)
    cover = new("ShaderNodeMapRange")
    link(noise.outputs[0], cover.inputs["Value"])
    cover.inputs["From Min"].default_value = 0.75 - 0.75 * cloud
    cover.inputs["From Max"].default_value = 0.9 - 0.6 * cloud
    mix = new("ShaderNodeMix")
    mix.data_type = "RGBA"
    link(cover.outputs[0], mix.inputs[0])
    link(ramp.outputs[0], mix.inputs[6])
    mix.inputs[7].default_value = (*(tint * rng.uniform(0.5, 1.1)), 1)
    link(mix.outputs[2], background.inputs[0])
    background.inputs[1].default_value = rng.uniform(0.8, 1.2)
