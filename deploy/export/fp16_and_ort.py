"""ONNX in other formats: half precision, and ONNX Runtime's own. No torch."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxconverter_common.float16 import convert_float_to_float16
from onnxruntime.tools.convert_onnx_models_to_ort import OptimizationStyle, convert_onnx_models_to_ort

from deploy.inference.onnx_network import OnnxNetwork

LARGEST_FP16 = 65504.0
TOLERANCE = 1e-3  # of the largest depth, between .onnx and .ort


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights and arithmetic in half precision; image and depth stay float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of each weight that is nearer to 0 than half precision can tell
        half: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return half


def write_ort(model: Path, output: Path) -> None:
    """Write an ONNX file in ONNX Runtime's own format (.ort), optimised for any CPU; its metadata stays.

    Minimal builds of ONNX Runtime, a few megabytes smaller in an app, open nothing else.

    Raises:
        RuntimeError: the two do not give the same.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source = Path(folder) / model.with_suffix(".onnx").name
        shutil.copyfile(model, source)
        convert_onnx_models_to_ort(source, optimization_styles=[OptimizationStyle.Fixed])
        shutil.copyfile(source.with_suffix(".ort"), output)
    network, packed = OnnxNetwork(model), OnnxNetwork(output)
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    expected = network(image)
    error = float(np.abs((packed(image) - expected) / np.abs(expected).max()).max())
    if not error <= TOLERANCE or packed.metadata != network.metadata:
        raise RuntimeError(f"{model}: in ONNX Runtime's format it differs by {error:.1e}, or in its metadata")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converter prints and logs each of its steps."""
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
