"""Conversion of ONNX models to half precision and to ONNX Runtime's own format. Does not import torch."""

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
TOLERANCE = 1e-3  # largest difference between .onnx and .ort, relative to the largest depth


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert weights and arithmetic to half precision. Input and output stay float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one warning for each weight below the smallest fp16 number
        half: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return half


def write_ort(model: Path, output: Path) -> None:
    """Convert an ONNX file to ONNX Runtime's own format (.ort), optimised for any CPU. The metadata is kept.

    Minimal builds of ONNX Runtime only support this format. They are a few megabytes smaller.

    Args:
        model: ONNX file.
        output: .ort file to write.

    Raises:
        RuntimeError: outputs or metadata of the two files differ.
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
        raise RuntimeError(
            f"{model}: .ort and .onnx differ by {error:.1e} of the depth ({TOLERANCE:.0e} allowed) or in metadata"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the output and logs of the converter."""
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
