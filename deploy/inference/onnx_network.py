"""ONNX files in ONNX Runtime. No torch."""

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
    """A depth network as an ONNX file, ours or anyone's: one image in, one map out.

    Attributes:
        size: (height, width) of its input.
        takes_frames: whether that is a camera's frame, uint8 (height, width, 3), as ``pocketdepth export --camera``
            makes it.
        metadata: all entries of the file.
        info: those of PocketDepth. A file that does not say what it predicts is taken for depth of RGB in [0, 1], which
            is said once on standard error.

    Args:
        path: the file (.onnx or .ort).
        threads: of ONNX Runtime; its own choice if left out.

    Raises:
        FileNotFoundError: no such file, or its weights lie in another file that is missing.
        ValueError: not an ONNX file, not an image -> depth network of a static size, or invalid metadata.
    """

    runtime = "onnxruntime"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.session = open_session(path, threads)
        self.path = path
        self.input, self.size, self.takes_frames = _the_image(path, self.session.get_inputs())
        _require_one_map(path, self.input, self.session.get_outputs())
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        self.info = ModelInfo.from_metadata(self.metadata, path)
        if self.info.predicts is None:
            _say_assumptions(path)

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """RGB in [0, 1], (1, 3, height, width) -> depth in metres, (1, 1, h, w).

        Raises:
            RuntimeError: the file cannot be run, or gives something else than one map.
        """
        try:
            output = self.session.run(None, self.feed(image))[0]
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise RuntimeError(f"{self.path}: ONNX Runtime cannot run it ({_first_line(error)})") from error
        if output.ndim < 2 or output.size != output.shape[-2] * output.shape[-1]:
            raise RuntimeError(f"{self.path}: gives {output.shape}, not one map (1, 1, h, w)")
        return cast(NDArray[np.float32], output.reshape(1, 1, *output.shape[-2:]).astype(np.float32, copy=False))

    def feed(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """What the session takes for an image, RGB in [0, 1], (1, 3, height, width)."""
        if self.takes_frames:
            return {self.input: np.rint(image[0].transpose(1, 2, 0) * np.float32(255)).astype(np.uint8)}
        return {self.input: image}


def open_session(path: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open an ONNX file; raises as :class:`OnnxNetwork` does."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such ONNX file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base
        if path.suffix == ".onnx":
            _require_whole(path)
        raise ValueError(f"{path}: ONNX Runtime cannot open it ({_first_line(error)})") from error


def read_model(path: Path, weights: bool = True) -> Any:
    """The ``onnx.ModelProto`` of a file, for what looks into it or changes it.

    Args:
        path: an ONNX file; one in ONNX Runtime's format (.ort) cannot be looked into.
        weights: also those that lie in a file of their own.

    Raises:
        ValueError: not an ONNX file, or a truncated one.
    """
    import onnx  # what only runs a file does not need it

    if path.suffix == ".ort":
        raise ValueError(f"{path}: is in ONNX Runtime's own format; give the .onnx file that it was made of")
    try:
        model = onnx.load(path, load_external_data=weights)
    except Exception as error:  # protobuf's own
        raise ValueError(f"{path}: not an ONNX file, or a truncated one") from error
    if not model.graph.node:
        raise ValueError(f"{path}: not an ONNX file, or a truncated one")
    return model


def _the_image(path: Path, inputs: list[Any]) -> tuple[str, tuple[int, int], bool]:
    """The input's name, its (height, width), and whether it is a camera's frame."""
    name, kind, shape = inputs[0].name, inputs[0].type, inputs[0].shape
    planar = kind == "tensor(float)" and len(shape) == 4 and _may_be(shape[0], 1) and _may_be(shape[1], 3)
    frames = kind == "tensor(uint8)" and len(shape) == 3 and shape[2] == 3
    if len(inputs) != 1 or not (planar or frames):
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise ValueError(f"{path}: its input is {found}, not one RGB image, tensor(float) [1, 3, height, width]")
    sides = shape[2:] if planar else shape[:2]
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
            f'{path}: gives {", ".join(names)}, and only one can be the depth; keep it: python -c "import onnx; '
            f"onnx.utils.extract_model('{path}', 'ONE.onnx', ['{image}'], ['{names[0]}'])\""
        )
    shape = outputs[0].shape  # empty where the file does not say
    if shape and not (2 <= len(shape) <= 4 and all(_may_be(side, 1) for side in shape[:-2])):
        raise ValueError(f"{path}: its output is {outputs[0].name} {shape}, not one map [1, 1, h, w]")


def _require_whole(path: Path) -> None:
    """Say what is missing where a file, or one that holds its weights, is not there as a whole."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    for tensor in read_model(path, weights=False).graph.initializer:
        if uses_external_data(tensor):
            info = ExternalDataInfo(tensor)
            file = path.parent / info.location
            if not file.is_file():
                raise FileNotFoundError(f"{path}: its weights lie in {file}, which is missing; put it there")
            if file.stat().st_size < (info.offset or 0) + (info.length or 0):
                raise ValueError(f"{path}: its weights lie in {file}, which is truncated")


@cache
def _say_assumptions(path: Path) -> None:
    assumed = "it is taken to map RGB in [0, 1] to depth in metres"
    print(f"{path}: does not say what it takes and predicts; {assumed}", file=sys.stderr)


def _may_be(side: int | str | None, number: int) -> bool:
    """Whether a dimension has this length, or any."""
    return side == number or not isinstance(side, int)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
