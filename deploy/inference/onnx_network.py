"""ONNX files in ONNX Runtime. Does not import torch."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo
from deploy.inference.network import Network

_FIX = (
    "python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {name} --input_shape {shape} {path} FIXED.onnx"
)


class OnnxNetwork(Network):
    """A depth network in an ONNX file of PocketDepth or a third party, with one image as input and one map as output.

    Attributes:
        size: (height, width) of the input.
        takes_frames: whether the input is a camera frame, uint8 (height, width, 3), as written by
            ``pocketdepth export --camera``.
        metadata: all metadata entries of the file.
        info: the metadata entries of PocketDepth. A file without the entry ``predicts`` is assumed to predict depth in
            metres from RGB in [0, 1]; a warning is printed once.

    Args:
        path: ONNX file (.onnx or .ort).
        threads: number of threads. Default: chosen by ONNX Runtime.
        warn: whether to print the warning; False for temporary files that are made from a file of the user.

    Raises:
        FileNotFoundError: the file or its external data file is missing.
        ValueError: not an ONNX file, not an image -> depth network with a static input size, or invalid metadata.
    """

    runtime = "onnxruntime"

    def __init__(self, path: Path, threads: int | None = None, warn: bool = True) -> None:
        self.session = open_session(path, threads)
        self.path, self.threads = path, threads
        self.input, self.size, self.takes_frames = _image_input(path, self.session.get_inputs())
        _require_one_map(path, self.input, self.session.get_outputs())
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        self.info = ModelInfo.from_metadata(self.metadata, path)
        if self.info.predicts is None and warn:
            _warn_of_assumptions(path)

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict from RGB in [0, 1], (1, 3, height, width). Returns depth or inverse depth, (1, 1, h, w).

        Raises:
            RuntimeError: ONNX Runtime fails, or the output is not a single map.
        """
        try:
            output = self.session.run(None, self.feed(image))[0]
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise RuntimeError(f"{self.path}: ONNX Runtime cannot run it ({first_line(error)})") from error
        if output.ndim < 2 or output.size != output.shape[-2] * output.shape[-1]:
            raise RuntimeError(f"{self.path}: its output has shape {output.shape}, not (1, 1, h, w)")
        return cast(NDArray[np.float32], output.reshape(1, 1, *output.shape[-2:]).astype(np.float32, copy=False))

    def feed(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Build the session's inputs from RGB in [0, 1], (1, 3, height, width)."""
        if self.takes_frames:
            return {self.input: np.rint(image[0].transpose(1, 2, 0) * np.float32(255)).astype(np.uint8)}  # (H, W, 3)
        return {self.input: image}


def open_session(path: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open an ONNX file in ONNX Runtime. Raises the same exceptions as :class:`OnnxNetwork`."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such ONNX file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, so they need no log
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        if path.suffix == ".onnx":
            _require_complete(path)
        raise ValueError(f"{path}: ONNX Runtime cannot open it ({first_line(error)})") from error


def read_model(path: Path, weights: bool = True) -> Any:
    """Read the ``onnx.ModelProto`` of a file, to inspect or modify it.

    Args:
        path: ONNX file (.onnx). ONNX Runtime's own format (.ort) is not supported.
        weights: also load weights from external data files.

    Raises:
        ValueError: not an ONNX file, or a truncated one.
    """
    import onnx  # not needed for inference

    if path.suffix == ".ort":
        raise ValueError(f"{path}: is in ONNX Runtime's own format; give the .onnx file that it was made from")
    try:
        model = onnx.load(path, load_external_data=weights)
    except Exception as error:  # protobuf's exceptions
        raise ValueError(f"{path}: not an ONNX file, or a truncated one") from error
    if not model.graph.node:
        raise ValueError(f"{path}: not an ONNX file, or a truncated one")
    return model


def _image_input(path: Path, inputs: list[Any]) -> tuple[str, tuple[int, int], bool]:
    """Return the input's name, its (height, width), and whether it is a camera frame."""
    name, kind, shape = inputs[0].name, inputs[0].type, inputs[0].shape
    planar = kind == "tensor(float)" and len(shape) == 4 and _matches(shape[0], 1) and _matches(shape[1], 3)
    frames = kind == "tensor(uint8)" and len(shape) == 3 and shape[2] == 3
    if len(inputs) != 1 or not (planar or frames):
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise ValueError(f"{path}: its input is {found}, not one RGB image, tensor(float) [1, 3, height, width]")
    sides = shape[2:] if planar else shape[:2]
    if any(isinstance(side, int) and side < 1 for side in sides):
        raise ValueError(f"{path}: its input {name} {shape} is empty; height and width must be positive")
    if not all(isinstance(side, int) for side in sides):
        fixed = "1,3,HEIGHT,WIDTH" if planar else "HEIGHT,WIDTH,3"
        raise ValueError(
            f"{path}: the height and width of its input {name} {shape} are not fixed; fix them: "
            + _FIX.format(name=name, shape=fixed, path=path)
        )
    return name, (sides[0], sides[1]), frames


def _require_one_map(path: Path, image: str, outputs: list[Any]) -> None:
    if len(outputs) != 1:
        names = [output.name for output in outputs]
        raise ValueError(
            f'{path}: has the outputs {", ".join(names)}, but only one is supported; keep it: python -c "import onnx; '
            f"onnx.utils.extract_model('{path}', 'ONE.onnx', ['{image}'], ['{names[0]}'])\""
        )
    shape = outputs[0].shape  # empty if the file does not specify it
    if shape and not (2 <= len(shape) <= 4 and all(_matches(side, 1) for side in shape[:-2])):
        raise ValueError(f"{path}: its output is {outputs[0].name} {shape}, not one map [1, 1, h, w]")


def _require_complete(path: Path) -> None:
    """Raise a specific error if the file or its external data is truncated or missing."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    for tensor in read_model(path, weights=False).graph.initializer:
        if uses_external_data(tensor):
            info = ExternalDataInfo(tensor)
            file = path.parent / info.location
            if not file.resolve().is_relative_to(path.parent.resolve()):
                raise ValueError(f"{path}: its weights are in {info.location}, outside of its folder; it is not read")
            if not file.is_file():
                raise FileNotFoundError(f"{path}: its weights are in {file}, which is missing; put it there")
            if file.stat().st_size < (info.offset or 0) + (info.length or 0):
                raise ValueError(f"{path}: its weights are in {file}, which is truncated")


@cache
def _warn_of_assumptions(path: Path) -> None:
    assumed = "assuming RGB in [0, 1] as input and depth in metres as output"
    print(f"warning: {path}: has no metadata about its input and output; {assumed}", file=sys.stderr)


def _matches(side: int | str | None, number: int) -> bool:
    """Whether a dimension has this length or is dynamic."""
    return side == number or not isinstance(side, int)


def first_line(error: Exception) -> str:
    """First line of an error's message; the kind of the error if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
