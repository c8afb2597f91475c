"""Takes the pictures: exact depth, and linear colour."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from .geometry import Mesh, turn

FAR = 5000.0  # what is farther is not seen, metres
_TO_CV = np.diag([1.0, -1.0, -1.0, 1.0])  # Blender's camera looks along -z, with y up
_TO_WORLD = np.array(
    [[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]
)  # y down, z forward -> z up, y forward


class Lens(NamedTuple):
    """A pinhole camera.

    Attributes:
        width, height: of its images, pixels.
        focal: its focal length, pixels.
    """

    width: int
    height: int
    focal: float

    def intrinsics(self) -> list[float]:
        """fx, fy, cx, cy in pixels; pixel centres have integer coordinates."""
        return [self.focal, self.focal, (self.width - 1) / 2, (self.height - 1) / 2]


def pose(place: NDArray[np.float64], heading: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Camera-to-world matrix (4, 4) of a camera at ``place``.

    Args:
        place: its centre in the world, metres; z up.
        heading: its direction, radians counter-clockwise from y.
        pitch: how far it looks down, radians.
        roll: how far it is turned clockwise, radians.

    Returns:
        The matrix, for a camera with x to the right, y down and z forward.
    """
    cos, sin = np.cos(pitch), np.sin(pitch)
    down = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    axes = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # columns: the camera's x, y and z in the world
    matrix = np.eye(4)
    matrix[:3, :3] = turn(heading) @ down @ axes @ turn(roll)
    matrix[:3, 3] = place
    return matrix


def extrinsics(camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """World-to-camera matrix (4, 4), for a world with y down and z forward, as Virtual KITTI has it."""
    return np.asarray(np.linalg.inv(camera) @ _TO_WORLD)


def start(threads: int, samples: int, denoise: bool) -> None:
    """Start with an empty scene, and set up the renderer."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.use_persistent_data = True  # frames of a street share it
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.samples, scene.cycles.use_denoising = samples, denoise
    scene.cycles.denoising_quality = "FAST"  # the default takes longer than the rest of a frame
    scene.cycles.denoising_prefilter = "FAST"
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 3, 2, 2
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.cycles.sample_clamp_indirect = 10.0
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.view_layers[0].use_pass_z = True
    _write_depth(scene)


def use_gpu() -> None:
    """Render on all GPUs that Cycles can use.

    Raises:
        RuntimeError: there is none.
    """
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI"):
        try:
            preferences.compute_device_type = kind
        except TypeError:  # not in this build of Blender
            continue
        preferences.refresh_devices()
        found = [device for device in preferences.devices if device.type == kind]
        if found:
            for device in preferences.devices:
                device.use = device.type == kind
            bpy.context.scene.cycles.device = "GPU"
            return
    raise RuntimeError("Blender finds no GPU that Cycles can use")


def place_camera(lens: Lens) -> Any:
    """Add a camera to the scene, and return its object."""
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", 36.0
    camera.lens = lens.focal / lens.width * 36.0
    camera.clip_start, camera.clip_end = 0.05, FAR
    thing = bpy.data.objects.new("camera", camera)
    scene = bpy.context.scene
    scene.collection.objects.link(thing)
    scene.camera = thing
    scene.render.resolution_x, scene.render.resolution_y = lens.width, lens.height
    return thing


def add_mesh(mesh: Mesh, surfaces: Any) -> Any:
    """Give a mesh to Blender; ``surfaces.material(name)`` are its materials. Returns Blender's mesh."""
    made = bpy.data.meshes.new("mesh")
    points = np.concatenate(mesh.points)
    loops = np.concatenate([faces.ravel() for faces in mesh.faces])
    sizes = np.concatenate([np.full(len(faces), faces.shape[1]) for faces in mesh.faces])
    names = list(dict.fromkeys(mesh.materials))
    slots = np.concatenate(
        [np.full(len(faces), names.index(name)) for faces, name in zip(mesh.faces, mesh.materials, strict=True)]
    )
    made.vertices.add(len(points))
    made.vertices.foreach_set("co", points.astype(np.float32).ravel())
    made.loops.add(len(loops))
    made.loops.foreach_set("vertex_index", loops.astype(np.int32))
    made.polygons.add(len(sizes))
    made.polygons.foreach_set("loop_start", np.append(0, np.cumsum(sizes)[:-1]).astype(np.int32))
    for name in names:
        made.materials.append(surfaces.material(name))
    made.polygons.foreach_set("material_index", slots.astype(np.int32))
    made.update(calc_edges=True)
    return made


def add_object(mesh: Any, matrix: NDArray[np.float64] | None = None) -> None:
    """Put one of Blender's meshes into the scene."""
    thing = bpy.data.objects.new("thing", mesh)
    if matrix is not None:
        thing.matrix_world = mathutils.Matrix(matrix.tolist())
    bpy.context.scene.collection.objects.link(thing)


def take_depth(camera: Any, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Depth along the camera's axis at the centres of the pixels, (H, W), metres; infinite in the sky."""
    scene = bpy.context.scene
    former = (scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces, scene.cycles.filter_width)
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 1, False, 0
    scene.cycles.filter_width = 0.01  # the only sample of a pixel lies at its centre
    scene.render.use_compositing = True
    depth = _render(camera, matrix, "depth0001.exr")[..., 0]
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces, scene.cycles.filter_width = former
    scene.render.use_compositing = False
    return np.where(depth < FAR, depth, np.inf)


def take_colour(camera: Any, matrix: NDArray[np.float64], seed: int) -> NDArray[np.float16]:
    """Linear colour, (H, W, 3)."""
    bpy.context.scene.cycles.seed = seed
    colour = _render(camera, matrix, "colour.exr")[..., :3]
    return np.clip(colour, 0, 60000).astype(np.float16)


def _render(camera: Any, matrix: NDArray[np.float64], name: str) -> NDArray[np.float32]:
    scene = bpy.context.scene
    camera.matrix_world = mathutils.Matrix((matrix @ _TO_CV).tolist())
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder, "colour.exr"))
        for node in scene.node_tree.nodes:
            if node.type == "OUTPUT_FILE":
                node.base_path = folder
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(Path(folder, name)))
        pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
        shape = (image.size[1], image.size[0], 4)
        bpy.data.images.remove(image)
    return pixels.reshape(shape)[::-1]


def _write_depth(scene: Any) -> None:
    """Make the compositor write depth into a file of its own."""
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    output.format.file_format, output.format.color_depth = "OPEN_EXR", "32"
    output.file_slots.clear()
    output.file_slots.new("depth")
    tree.links.new(layers.outputs["Depth"], output.inputs[0])
