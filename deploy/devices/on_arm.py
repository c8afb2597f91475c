"""Runs an ONNX file with numpy and onnxruntime only. It is also a script for an ARM Python without other packages.

python on_arm.py MODEL.onnx IMAGES.npy OUTPUTS.npz
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


def run(model: str, images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Run an ONNX file image by image.

    Args:
        model: ONNX file with a batch size of 1.
        images: RGB in [0, 1], (N, 3, H, W).

    Returns:
        All outputs by name, (N, ...).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    # Exact int8: on x86 CPUs without VNNI the fast kernels saturate at 16 bits.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    runs = [session.run(names, {session.get_inputs()[0].name: image[None]}) for image in images]  # each (1, ...)
    return {name: np.concatenate(values) for name, values in zip(names, zip(*runs, strict=True), strict=True)}


if __name__ == "__main__":
    np.savez(sys.argv[3], **run(sys.argv[1], np.load(sys.argv[2])))  # type: ignore[arg-type]
