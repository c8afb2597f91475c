"""Nodes of a material: noise, patterns, photographs, wet ground."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


class ShaderNodes:
    """Makes the nodes of a material."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree

    def _new(self, kind: str, **values: Any) -> Any:
        node = self._tree.nodes.new(f"ShaderNode{kind}")
        for name, value in values.items():
            setattr(node, name, value)
        return node

    def link(self, output: Any, socket: Any) -> None:
        """Connect two sockets; a colour instead of an output is set."""
        if isinstance(output, np.ndarray):
            socket.default_value = (*np.clip(output, 0, 1), 1)
        else:
            self._tree.links.new(output, socket)

    def position(self) -> Any:
        """Place on the surface, in the coordinates of its object, metres."""
        return self._new("TexCoord").outputs["Object"]

    def _mix(self, share: Any, first: Any, second: Any, blend: str = "MIX") -> Any:
        node = self._new("Mix", data_type="RGBA", blend_type=blend)
        if isinstance(share, float):
            node.inputs[0].default_value = share
        else:
            self.link(share, node.inputs[0])
        self.link(first, node.inputs[6])
        self.link(second, node.inputs[7])
        return node.outputs[2]

    def noise(self, place: Any, first: Any, second: Any, scale: float, strength: float) -> Any:
        """Mix two colours by noise with ``scale`` spots per metre."""
        node = self._new("TexNoise")
        self.link(place, node.inputs["Vector"])
        node.inputs["Scale"].default_value = scale
        node.inputs["Detail"].default_value = 3.0
        spread = self._new("MapRange")
        self.link(node.outputs[0], spread.inputs["Value"])
        for name, value in (
            ("From Min", 0.35),
            ("From Max", 0.7),
            ("To Min", 0.0),
            ("To Max", float(min(strength, 1))),
        ):
            spread.inputs[name].default_value = value
        return self._mix(spread.outputs[0], first, second)

    def pattern(self, kind: str, colour: Any, joint: Any, size: float) -> Any:
        """Draw bricks, tiles or planks over a colour."""
        geometry, cross = self._new("NewGeometry"), self._new("VectorMath", operation="CROSS_PRODUCT")
        cross.inputs[0].default_value = (0, 0, 1)
        self.link(geometry.outputs["Normal"], cross.inputs[1])
        along = self._new("VectorMath", operation="DOT_PRODUCT")
        self.link(cross.outputs[0], along.inputs[0])
        self.link(geometry.outputs["Position"], along.inputs[1])
        split, where = self._new("SeparateXYZ"), self._new("CombineXYZ")
        self.link(geometry.outputs["Position"], split.inputs[0])
        flat = self._new("SeparateXYZ")
        self.link(geometry.outputs["Normal"], flat.inputs[0])
        level = self._new("Math", operation="GREATER_THAN")  # on the ground, x and y; on a wall, along it and z
        self.link(flat.outputs[2], level.inputs[0])
        level.inputs[1].default_value = 0.8
        for axis, (ground, wall) in enumerate(
            ((split.outputs[0], along.outputs["Value"]), (split.outputs[1], split.outputs[2]))
        ):
            choose = self._new("Mix", data_type="FLOAT")
            self.link(level.outputs[0], choose.inputs[0])
            self.link(wall, choose.inputs[2])
            self.link(ground, choose.inputs[3])
            self.link(choose.outputs[0], where.inputs[axis])
        bricks = self._new("TexBrick", offset=0.0 if kind == "planks" else 0.5)
        self.link(where.outputs[0], bricks.inputs["Vector"])
        self.link(colour, bricks.inputs["Color1"])
        self.link(self._mix(0.25, colour, joint), bricks.inputs["Color2"])
        self.link(joint, bricks.inputs["Mortar"])
        bricks.inputs["Scale"].default_value = 1.0
        bricks.inputs["Mortar Size"].default_value = min(0.02, size / 12)
        bricks.inputs["Brick Width"].default_value = size
        bricks.inputs["Row Height"].default_value = {"planks": 50.0, "bricks": size / 3, "tiles": size}[kind]
        return bricks.outputs[0]

    def photo(self, place: Any, path: str, size: float, colour: Any, strength: float) -> Any:
        """Lay a photograph of ``size`` metres over a colour, from all six sides."""
        scaled = self._new("VectorMath", operation="SCALE")
        self.link(place, scaled.inputs[0])
        scaled.inputs["Scale"].default_value = 1 / size
        node = self._new("TexImage", projection="BOX", extension="MIRROR")
        node.image = bpy.data.images.load(path, check_existing=True)
        self.link(scaled.outputs[0], node.inputs[0])
        return self._mix(strength, colour, self._mix(0.4, node.outputs[0], colour))

    def wet(self, place: Any, colour: Any, rough: float) -> tuple[Any, Any, Any]:
        """Darken a colour and smoothen a surface, in puddles most; returns colour, roughness and the amount's node."""
        amount, node = self._new("Value"), self._new("TexNoise")
        amount.outputs[0].default_value = 0.0
        self.link(place, node.inputs["Vector"])
        node.inputs["Scale"].default_value = 0.25
        puddles = self._new("MapRange")
        self.link(node.outputs[0], puddles.inputs["Value"])
        for name, value in (("From Min", 0.4), ("From Max", 0.6), ("To Min", 0.4), ("To Max", 1.0)):
            puddles.inputs[name].default_value = value
        share = self._new("Math", operation="MULTIPLY")
        self.link(puddles.outputs[0], share.inputs[0])
        self.link(amount.outputs[0], share.inputs[1])
        roughness = self._new("MapRange")
        self.link(share.outputs[0], roughness.inputs["Value"])
        for name, value in (("To Min", rough), ("To Max", 0.06)):
            roughness.inputs[name].default_value = value
        return self._mix(share.outputs[0], colour, self._mix(0.6, colour, np.zeros(3))), roughness.outputs[0], amount
