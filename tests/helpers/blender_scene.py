"""Planes, boxes and points of known place, taken by Blender. For its Python: blender_scene.py OUTPUT.npz."""

from __future__ import annotations

import sys
from typing import Any

import bpy
import numpy as np
from blender import camera  # lightning_app/data_tools is on the path
from blender.geometry import Mesh

BOX = ([2.0, 3.0, 2.4], [2.5, 11.0, 1.2])  # size and centre
WALL = 30.0  # y of a wall across the street
POINTS = np.array([[0, 8, 2.2], [-3, 12, 1], [3, 20, 3], [-1.5, 5, 0.6], [4, 15, 0.3]], float)


class Glowing:
    """Every material glows, or is black."""

    def material(self, name: str) -> Any:
        made = bpy.data.materials.new(name)
        made.use_nodes = True
        shader = made.node_tree.nodes["Principled BSDF"]
        shader.inputs["Base Color"].default_value = (0, 0, 0, 1)
        shader.inputs["Emission Color"].default_value = (1, 1, 1, 1)
        shader.inputs["Emission Strength"].default_value = float(name == "glowing")
        return made


def main() -> None:
    lens = camera.Lens(320, 96, 190.0)
    pose = camera.pose(np.array([0.3, -1.0, 1.6]), heading=0.08, pitch=0.04, roll=0.03)
    taken = {}
    for name in ("solid", "points"):
        camera.start(threads=1, samples=256, denoise=False)
        mesh = Mesh()
        if name == "solid":
            mesh.quad([[-500, -500, 0], [500, -500, 0], [500, 500, 0], [-500, 500, 0]], "black")
            mesh.quad([[-2, WALL, 0], [6, WALL, 0], [6, WALL, 8], [-2, WALL, 8]], "black")
            mesh.box(*BOX, "black")
        else:
            for point in POINTS:
                mesh.ball(point, [0.08] * 3, "glowing", 9, 16)
        camera.add_object(camera.add_mesh(mesh, Glowing()))
        thing = camera.place_camera(lens)
        taken[name] = camera.take_depth(thing, pose) if name == "solid" else camera.take_colour(thing, pose, 0)
    np.savez(
        sys.argv[1], **taken, box=np.array(BOX), wall=WALL, known=POINTS,
        intrinsics=lens.intrinsics(), extrinsics=camera.extrinsics(pose),
    )  # fmt: skip


main()
