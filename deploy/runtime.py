"""ONNX files in ONNX Runtime. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray


class OnnxNetwork:
    """A depth network as an ONNX file.

    Attributes:
        size: (height, width) of its input.
        metadata: what the file says of itself.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift; ``depth`` where the file does not
            say.
        canonical_focal_px: of the canonical camera that the depth is for; None where there is none.

    Args:
        path: the file.
        threads: of ONNX Runtime; its own choice if left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an ONNX file, or not an image -> depth network of a static size.
    """

    runtime = "onnxruntime"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.session = open_session(path, threads)
        self.path = path
        inputs = self.session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape):
            raise ValueError(f"{path}: its input is {[i.shape for i in inputs]}, not one image (1, 3, height, width)")
        self.size = (int(shape[2]), int(shape[3]))
        self.input = inputs[0].name
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        self.predicts = self.metadata.get("predicts", "depth")
        focal = self.metadata.get("canonical_focal_px")
        self.canonical_focal_px = float(focal) if focal else None

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """RGB in [0, 1], (1, 3, height, width) -> depth in metres, (1, 1, h, w)."""
        return cast(NDArray[np.float32], self.session.run(None, {self.input: image})[0])


def open_session(path: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open an ONNX file; raises as :class:`OnnxNetwork` does."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such ONNX file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base
        raise ValueError(f"{path}: ONNX Runtime cannot open it ({str(error).splitlines()[0]})") from error
