"""ONNX files that resize camera frames and depth inside the graph. Does not import torch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import compose, parser

from deploy.inference.images import to_image_size, to_input
from deploy.inference.model_info import UNITS, ModelInfo
from deploy.inference.network import require_finite
from deploy.inference.onnx_network import OnnxNetwork, first_line, read_model
from lightning_app.files import atomic_write, refuse_existing

OPSET = 18  # the first opset whose Resize supports antialiasing
RESIZED = 0.002  # largest mean difference of resized frames, relative to white
DIFFERS = 1e-5  # largest mean relative difference of depth for the same network input

_BEFORE = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
before (uint8[{H},{W},3] image) => (float[1,3,{h},{w}] network_image)
<int64[1] first = {{0}}, float[0] no_roi = {{}}, float[0] no_scales = {{}}, int64[4] sizes = {{1, 3, {middle}}},
 float white = {{255.0}}>
{{
  levels = Cast <to = 1> (image)
  planes = Transpose <perm = [2, 0, 1]> (levels)
  batch = Unsqueeze (planes, first)
  resized = Resize <mode = "linear", antialias = {antialias}> (batch, no_roi, no_scales, sizes)
  pooled = {pool} (resized)
  network_image = Div (pooled, white)
}}
"""
_AFTER = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
after (float[1,1,{h},{w}] network_depth) => (float[{H},{W}] depth)
<int64[2] first = {{0, 1}}, float[0] no_roi = {{}}, float[0] no_scales = {{}}, int64[4] sizes = {{1, 1, {H}, {W}}}
 {one}>
{{
  {inverse}
  resized = Resize <mode = "linear"> (inverse, no_roi, no_scales, sizes)
  plane = Squeeze (resized, first)
  {back}
}}
"""


def add_camera(model: Path, size: tuple[int, int], output: Path | None = None, overwrite: bool = False) -> Path:
    """Add a camera input to an exported ONNX file and write it as a new file.

    Args:
        model: ONNX file of PocketDepth: fp32, fp16 or int8.
        size: (height, width) of the camera frames.
        output: ONNX file to write. Default: ``NAME-camera.onnx`` beside the model.
        overwrite: replace an existing ``output``.

    Returns:
        Path of the new file.

    Raises:
        FileNotFoundError: the model is missing.
        FileExistsError: ``output`` exists.
        ValueError: not an ONNX file, one that already has a camera input, or one that :func:`with_camera` does not
            support.
        RuntimeError: the new file does not agree with the model. No file is written.
    """
    output = output or model.with_name(f"{model.stem}-camera.onnx")
    refuse_existing(output, overwrite=overwrite)
    network, content = OnnxNetwork(model), read_model(model)
    if network.takes_frames:
        raise ValueError(f"{model}: already has a camera input; give the file that it was made from")
    try:
        whole = with_camera(content, size)
        resized = require_agreement(output, network, whole)
    except RuntimeError:
        raise
    except Exception as error:  # those of onnx and ONNX Runtime have no public base class
        raise ValueError(f"{model}: {first_line(error)}") from error
    with atomic_write(output) as temporary:
        onnx.save(whole, temporary)
    print(f"{model} -> {output}: frames of {size[0]}x{size[1]}, {output.stat().st_size / 1e6:.2f} MB, ", end="")
    print(f"resized as in `predict`, mean difference {resized:.1%}")
    return output


def with_camera(model: onnx.ModelProto, size: tuple[int, int]) -> onnx.ModelProto:
    """Wrap a model so that it maps ``image``, RGB uint8 (H, W, 3), to ``depth``, float32 (H, W).

    Frames are resized to an integer multiple of the network's input size and then average-pooled. This approximates
    the area interpolation of :mod:`deploy.inference.images`. Depth is resized bilinearly in inverse depth.

    Args:
        model: model that maps RGB in [0, 1], (1, 3, h, w), to (1, 1, h', w').
        size: (height, width) of the frames.

    Raises:
        ValueError: unsupported input or output, an opset below 18, or an empty frame size.
    """
    if min(size) < 1:
        raise ValueError(f"frames of {size[0]}x{size[1]} are empty; height and width must be positive")
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if opset < OPSET:
        raise ValueError(f"the model has opset {opset}, but a camera input needs opset {OPSET} or later")
    (image,), (depth,) = model.graph.input, model.graph.output
    own, given = _shape(image), _shape(depth)
    if len(own) != 4 or own[:2] != (1, 3) or len(given) != 4 or given[:2] != (1, 1) or 0 in own + given:
        raise ValueError(f"the model maps {own} to {given}, not an image (1, 3, h, w) to a map (1, 1, h, w)")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    info = ModelInfo.from_metadata(metadata, "the model")
    relative = info.predicts == "inverse_depth"
    known = {"ir": model.ir_version, "opset": opset, "H": size[0], "W": size[1]}
    pools = [max(1, round(side / network_side)) for side, network_side in zip(size, own[2:], strict=True)]
    middle = [network_side * pool for network_side, pool in zip(own[2:], pools, strict=True)]
    before = parser.parse_model(
        _BEFORE.format(
            **known,
            h=own[2],
            w=own[3],
            middle=f"{middle[0]}, {middle[1]}",
            antialias=int(middle[0] < size[0] or middle[1] < size[1]),
            pool="Identity" if pools == [1, 1] else f"AveragePool <kernel_shape = {pools}, strides = {pools}>",
        )
    )
    after = parser.parse_model(
        _AFTER.format(
            **known,
            h=given[2],
            w=given[3],
            one="" if relative else ", float one = {1.0}",
            inverse="inverse = " + ("Identity (network_depth)" if relative else "Div (one, network_depth)"),
            back="depth = " + ("Identity (plane)" if relative else "Div (one, plane)"),
        )
    )
    inner = compose.add_prefix(model, "network/")
    inner.metadata_props.clear()
    whole = compose.merge_models(
        compose.merge_models(before, inner, [("network_image", f"network/{image.name}")]),
        compose.add_prefix(after, "after/", rename_outputs=False),
        [(f"network/{depth.name}", "after/network_depth")],
    )
    del whole.opset_import[:]  # merging repeats the opset three times
    whole.opset_import.extend(model.opset_import)
    onnx.helper.set_model_props(whole, metadata | _frame_info(size, (own[2], own[3]), info).to_metadata())
    whole = onnx.shape_inference.infer_shapes(whole)
    onnx.checker.check_model(whole)
    return whole


def require_agreement(output: Path, plain: OnnxNetwork, camera: onnx.ModelProto) -> float:
    """Compare a model with camera input with the model without, on smooth frames.

    Args:
        output: file to be written, for the error message.
        plain: network without camera input.
        camera: model with camera input.

    Returns:
        Mean difference of the resized frames from :mod:`deploy.inference.images`, relative to white.

    Raises:
        RuntimeError: the resized frames, or depth for the same network input, differ by more than the tolerance.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(camera)
    watched.graph.output.append(onnx.helper.make_empty_tensor_value_info("network_image"))
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    height, width, _ = session.get_inputs()[0].shape
    generator = np.random.default_rng(0)
    resized, differs = [], []
    for _ in range(3):
        frame = _smooth_frame(generator, (height, width))
        given, depth = session.run(["network_image", "depth"], {"image": frame})
        expected = to_image_size(require_finite(plain(given)[0, 0], plain.path), (height, width), plain.predicts)
        unit = expected if plain.predicts == "depth" else np.abs(expected).max()
        resized.append(np.abs(given - to_input(frame, plain.size)).mean())
        differs.append(np.abs((depth - expected) / unit).mean())
    of_white, of_depth = float(np.max(resized)), float(np.max(differs))  # NaN if any is; max() would drop it
    if not (of_white <= RESIZED and of_depth <= DIFFERS):
        raise RuntimeError(
            f"{output}: resized frames differ by {of_white:.1%} of white ({RESIZED:.1%} is allowed), and depth differs "
            f"by {of_depth:.1e} from the file without camera input ({DIFFERS:.0e} is allowed)"
        )
    return of_white


def _smooth_frame(generator: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Random frame without edges, on which different interpolations agree."""
    coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_LINEAR))


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Shape of a value; dynamic dimensions are 0."""
    return tuple(side.dim_value for side in value.type.tensor_type.shape.dim)


def _frame_info(size: tuple[int, int], own: tuple[int, int], info: ModelInfo) -> ModelInfo:
    """Metadata entries that differ in a file with camera input."""
    frame, focal = f"({size[0]}, {size[1]}", info.canonical_focal_px
    return ModelInfo(
        frames=size,
        input=f"image: RGB, uint8 {frame}, 3); the file resizes and normalises it itself",
        output=f"depth: float32 {frame}), {info.units or UNITS['depth']}",
        # In pixels of the frame, as `load` expects it.
        canonical_focal_px=focal and focal * (size[0] * size[1] / (own[0] * own[1])) ** 0.5,
    )
