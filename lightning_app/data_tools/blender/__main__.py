"""Render scenes. Settings come on the command line, scenes on standard input, answers on standard output, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from . import camera, light
from .layout import draw_street
from .materials import Surfaces
from .usable import is_uniform, is_usable

TRIES = 25  # streets that are drawn for a scene until all its frames can be used
BASELINE = 0.54  # metres between the left and the right camera
_View = tuple[int, int, int]  # yaw in degrees, frame, 0 (left) or 1 (right)
TURNS = {"15-deg-left": 15, "15-deg-right": -15, "30-deg-left": 30, "30-deg-right": -30}  # degrees


def main() -> None:
    """Render one scene for each line of standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Blender prints to standard output
    for answer in _answer(json.loads(sys.argv[1])):
        print(json.dumps(answer), file=answers, flush=True)


def _answer(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Greet, then answer each line of standard input."""
    try:
        if settings["gpu"]:
            camera.use_gpu()
        yield {"blender": bpy.app.version_string}
        for line in sys.stdin:
            task = json.loads(line)
            yield from render_scene(settings, task["scene"], task["variations"], Path(task["folder"]))
    except (MemoryError, OSError, RuntimeError) as error:
        yield {"error": str(error) or type(error).__name__}


def render_scene(settings: dict[str, Any], scene: int, variations: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    """Render all frames of a scene as arrays ``<variation>-<frame>-<camera>.{colour,depth}.npy``.

    Yields:
        An answer for each frame, with its intrinsics and extrinsics, and one at the end.
    """
    for attempt in range(TRIES):
        seed = (settings["seed"], scene, attempt)
        shot = _Shot(settings, np.random.SeedSequence(seed))
        depths: dict[_View, NDArray[np.float32]] = {}
        for yaw in {TURNS.get(variation, 0): None for variation in variations}:
            depths |= {key: shot.depth(key) for key in shot.keys(yaw)}
        if not all(map(is_usable, depths.values())):
            continue
        shot.set_weather((*seed, 0), variations[0])
        first = {key: shot.colour(key) for key in shot.keys(TURNS.get(variations[0], 0))}
        if not any(map(is_uniform, first.values())):
            break
    else:
        yield {"error": f"the camera sees nothing, or stands in an object, in {TRIES} streets"}
        return
    for place, variation in enumerate(variations):
        if place:
            shot.set_weather((*seed, place), variation)
        for key in shot.keys(TURNS.get(variation, 0)):
            _, frame, right = key
            name = f"{variation}-{frame}-{right}"
            np.save(folder / f"{name}.colour.npy", shot.colour(key) if place else first[key])
            np.save(folder / f"{name}.depth.npy", depths[key])
            extrinsics = camera.extrinsics(shot.pose(key)).ravel().tolist()
            yield {
                "variation": variation, "frame": frame, "camera": right,
                "intrinsics": shot.lens.intrinsics(), "extrinsics": extrinsics,
            }  # fmt: skip
    yield {"scene": scene, "attempts": attempt + 1}


class _Shot:
    """A street in Blender, and the camera that drives through it. A view is (yaw in degrees, frame, 0 or 1)."""

    def __init__(self, settings: dict[str, Any], seed: np.random.SeedSequence) -> None:
        street_rng, camera_rng, surface_rng = map(np.random.default_rng, seed.spawn(3))
        self._settings, self._seed = settings, int(seed.generate_state(1)[0] >> 1)
        draw = camera_rng.uniform
        height, width = settings["size"]
        self.lens = camera.Lens(width, height, draw(*settings["focal"]) * width)
        self._height, self._step = draw(*settings["height"]), draw(*settings["step"])
        self._pitch, self._roll, self._yaw = np.radians(
            [draw(*settings["pitch"]), camera_rng.normal(0, 0.7), camera_rng.normal(0, 2.5)]
        )
        wobble = camera_rng.normal(0, [0.03, 0.01, 0.004, 0.004], (settings["frames"], 4))
        self._wobble = np.cumsum(wobble, axis=0)
        end = self._step * settings["frames"]
        self.street, self._lane = draw_street(street_rng, end, settings["without"])
        camera.start(settings["threads"], settings["samples"], settings["denoise"])
        if settings["gpu"]:
            camera.use_gpu()
        self.surfaces = Surfaces(surface_rng, settings["textures"], "textures" in settings["without"])
        camera.add_object(camera.add_mesh(self.street.solid, self.surfaces))
        made = {}
        for copy in self.street.copies:
            if id(copy.mesh) not in made:
                made[id(copy.mesh)] = camera.add_mesh(copy.mesh, self.surfaces)
            camera.add_object(made[id(copy.mesh)], copy.matrix)
        self._camera = camera.place_camera(self.lens)

    def keys(self, yaw: int) -> list[_View]:
        """The views of a variation."""
        cameras = (0, 1) if self._settings["stereo"] else (0,)
        return [(yaw, frame, right) for frame in range(self._settings["frames"]) for right in cameras]

    def pose(self, key: _View) -> NDArray[np.float64]:
        """Camera-to-world matrix of a view, (4, 4)."""
        yaw, frame, right = key
        road, (aside, up, pitch, turned) = self.street.road, self._wobble[key[1]]
        s = self._step * frame
        place = road.place(s, self._lane + aside, 0.0) + [0, 0, self._height + up]
        heading = float(road.heading(s)) + self._yaw + turned + np.radians(yaw)
        slope = road.slope(s, self._lane)
        matrix = camera.pose(place, heading, self._pitch + pitch - slope, self._roll)
        matrix[:3, 3] += right * BASELINE * matrix[:3, 0]
        return matrix

    def set_weather(self, seed: tuple[int, ...], variation: str) -> None:
        """Set the light of a variation, and wet the ground."""
        light.clear_weather()
        self.surfaces.set_wet(light.set_weather(np.random.default_rng(seed), variation))

    def depth(self, key: _View) -> NDArray[np.float32]:
        """Depth of a view, (H, W), metres."""
        return camera.take_depth(self._camera, self.pose(key))

    def colour(self, key: _View) -> NDArray[np.float16]:
        """Linear colour of a view, (H, W, 3)."""
        return camera.take_colour(self._camera, self.pose(key), (self._seed + key[1]) % 2**31)


if __name__ == "__main__":
    main()
