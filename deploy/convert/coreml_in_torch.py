"""Core ML programs executed in torch, because Core ML itself runs on Apple systems only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from deploy.inference.optional_packages import quiet, require


class MilProgram:
    """The program of an .mlpackage with its fp16 weights, computed in float32.

    Args:
        path: .mlpackage folder.

    Attributes:
        unknown: operations that are not implemented here. A program that contains any cannot be called.
    """

    def __init__(self, path: Path) -> None:
        tools = require("coremltools", "coreml")
        reader = require("coremltools.converters.mil.frontend.milproto.load", "coreml")
        with quiet():
            model = tools.models.MLModel(str(path), skip_model_load=True)
            spec = model.get_spec()
            program = reader.load(spec, spec.specificationVersion, model.weights_dir)
        self.function = program.functions["main"]
        self.operations = [each for each in self.function.operations if each.op_type != "const"]
        self.unknown = sorted({each.op_type for each in self.operations} - OPERATIONS.keys())

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the program: RGB in [0, 1], (1, 3, H, W), rounded to 8 bits per channel -> (1, 1, h, w)."""
        (name,) = self.function.inputs
        known: dict[str, Tensor] = {name: torch.from_numpy(np.rint(image * 255))}
        with torch.no_grad():
            for each in self.operations:
                given = {key: _value(argument, known) for key, argument in each.inputs.items()}
                known[each.outputs[0].name] = OPERATIONS[each.op_type](given)
        (output,) = self.function.outputs
        return cast(NDArray[np.float32], known[output.name].numpy())


def _value(argument: Any, known: dict[str, Tensor]) -> Any:
    """The tensor of a computed or floating-point argument; the plain value of any other argument."""
    if isinstance(argument, list | tuple):
        return [_value(each, known) for each in argument]
    if argument.name in known:
        return known[argument.name]
    value = argument.val
    if isinstance(value, np.ndarray | np.generic):
        return torch.tensor(value).float() if np.issubdtype(value.dtype, np.floating) else value.tolist()
    return value


def _padded(x: Tensor, given: dict[str, Any], value: float = 0.0) -> Tensor:
    if given["pad_type"] not in ("custom", "valid"):
        raise RuntimeError(f"Core ML padding type {given['pad_type']} is not implemented")
    top, bottom, left, right = given["pad"] if given["pad_type"] == "custom" else (0, 0, 0, 0)
    return F.pad(x, (left, right, top, bottom), value=value)


def _convolve(given: dict[str, Any]) -> Tensor:
    x = _padded(given["x"], given)
    return F.conv2d(x, given["weight"], given.get("bias"), given["strides"], 0, given["dilations"], given["groups"])


def _convolve_transposed(given: dict[str, Any]) -> Tensor:
    strides, dilations = given["strides"], given["dilations"]
    x = F.conv_transpose2d(given["x"], given["weight"], given.get("bias"), strides, 0, 0, given["groups"], dilations)
    top, bottom, left, right = given["pad"]
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def _normalise(given: dict[str, Any]) -> Tensor:
    mean, variance, epsilon = given["mean"], given["variance"], float(given["epsilon"])
    return F.batch_norm(given["x"], mean, variance, given["gamma"], given["beta"], eps=epsilon)


def _crop(given: dict[str, Any]) -> Tensor:
    x, (top, bottom), (left, right) = given["x"], given["crop_height"], given["crop_width"]
    return cast(Tensor, x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right])


def _pad(given: dict[str, Any]) -> Tensor:
    sides = given["pad"]
    pairs = [side for start in range(len(sides) - 2, -1, -2) for side in sides[start : start + 2]]
    return F.pad(given["x"], pairs, given["mode"], float(given["constant_val"]))


def _upsample(mode: str) -> Callable[[dict[str, Any]], Tensor]:
    def upsample(given: dict[str, Any]) -> Tensor:
        factors = [float(given["scale_factor_height"]), float(given["scale_factor_width"])]
        align = None if mode == "nearest" else given["align_corners"]
        return F.interpolate(given["x"], scale_factor=factors, mode=mode, align_corners=align)

    return upsample


OPERATIONS: dict[str, Callable[[dict[str, Any]], Tensor]] = {
    "add": lambda given: given["x"] + given["y"],
    "batch_norm": _normalise,
    "cast": lambda given: given["x"],  # all tensors are float32
    "clip": lambda given: given["x"].clamp(given["alpha"], given["beta"]),
    "concat": lambda given: torch.cat(given["values"], given["axis"]),
    "conv": _convolve,
    "conv_transpose": _convolve_transposed,
    "crop": _crop,
    "leaky_relu": lambda given: F.leaky_relu(given["x"], float(given["alpha"])),
    "max_pool": lambda given: F.max_pool2d(
        _padded(given["x"], given, -np.inf), given["kernel_sizes"], given["strides"], ceil_mode=given["ceil_mode"]
    ),
    "mul": lambda given: given["x"] * given["y"],
    "pad": _pad,
    "pixel_shuffle": lambda given: F.pixel_shuffle(given["x"], given["upscale_factor"]),
    "real_div": lambda given: given["x"] / given["y"],
    "relu": lambda given: given["x"].relu(),
    "relu6": lambda given: given["x"].clamp(0, 6),
    "sigmoid": lambda given: given["x"].sigmoid(),
    "sub": lambda given: given["x"] - given["y"],
    "upsample_bilinear": _upsample("bilinear"),
    "upsample_nearest_neighbor": _upsample("nearest"),
}
