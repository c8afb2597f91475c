"""``pocketdepth quantize``: quantize an fp32 ONNX file. Imports torch only if a data module is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.sqnr import Fp32Reference
from deploy.quantization.auto_float_layers import auto_float_nodes
from deploy.quantization.calibration import Images, Method, ranges, read_images, validation_inputs
from deploy.quantization.calibration_shift import warn_if_calibration_shifted, warn_if_ranges_differ
from deploy.quantization.quantizer import Scheme, fp32_file, open_fp32, prepared, quantized
from lightning_app.files import atomic_write, refuse_existing

SUFFIX = {"static": "int8", "dynamic": "dynamic", "a16w8": "a16w8"}
_SUMMARY = {  # stored in the metadata of the quantized file
    "static": "int8 QDQ, a small stem and the head in float",
    "dynamic": "int8 weights, head in float: a smaller file, not a faster one on ONNX Runtime's CPU",
    "a16w8": "16-bit activations and int8 weights, QDQ, head in float: for NPUs, slower than int8 on a CPU",
}


def quantize(
    model: Path,
    images: Path | None = None,
    data: Sequence[Path] = (),
    scheme: Scheme | Literal["int8"] = "static",
    method: Method = "minmax",
    number: int = 64,
    float_nodes: Sequence[str] = (),
    auto: float | None = None,
    output: Path | None = None,
    overwrite: bool = False,
    skip_corrupt: bool = False,
) -> Path:
    """Quantize an fp32 ONNX file. Default: static int8 in QDQ format, per-channel int8 weights, uint8 activations.

    The head (from the last convolution on) stays in float, because an int8 head has only 256 levels of depth, with
    steps of metres at long range. In static int8, a 3x3 convolution on the image also stays in float. The result is
    compared with fp32 on held-out images if there are enough images.

    Args:
        model: fp32 ONNX file, or a checkpoint, which is exported first, beside it.
        images: folder of calibration images from the target domain.
        data: YAMLs of an experiment; later files override earlier ones. Without ``images``, its training split is used
            for calibration. Its validation split is used to check the ranges, and for ``auto``.
        scheme: ``static``, also called ``int8``; ``dynamic`` (a smaller file that is not faster on ONNX Runtime's CPU;
            needs no images); or ``a16w8`` (16-bit activations, for NPUs).
        method: calibration method: ``minmax``, ``percentile`` or ``entropy``.
        number: largest number of calibration images, evenly spaced.
        float_nodes: names of additional nodes that stay in float.
        auto: largest accuracy loss, in (0, 1). The fewest layers that meet it stay in float, see
            :mod:`deploy.quantization.auto_float_layers`. With ``data``, the loss is the relative increase of abs_rel on
            the validation split under the first protocol. Otherwise, it is the mean change of depth from fp32 on the
            held-out images.
        output: file to write. Default: ``NAME-int8.onnx``, ``NAME-dynamic.onnx`` or ``NAME-a16w8.onnx`` beside the
            model.
        overwrite: replace an existing ``output``.
        skip_corrupt: report and skip corrupt images.

    Returns:
        Path of the quantized file.

    Raises:
        FileNotFoundError: the model, the folder or a YAML is missing, or the folder contains no image.
        FileExistsError: ``output`` exists.
        ValueError: not an fp32 ONNX file, no calibration images, or unknown scheme, method or node.
        OSError: an image is corrupt and ``skip_corrupt`` is False.
        RuntimeError: all images are corrupt, or ``auto`` cannot be met.
    """
    scheme = "static" if scheme == "int8" else scheme
    _check(scheme, method, auto)
    model = fp32_file(model)
    output = output or model.with_name(f"{model.stem}-{SUFFIX[scheme]}.onnx")
    refuse_existing(output, overwrite=overwrite)
    network = open_fp32(model)
    fp32 = prepared(model, scheme)
    without_images = scheme == "dynamic" and images is None and not data
    chosen = None if without_images else read_images(images, data, network.size, number, skip_corrupt)
    found, warning = None, ""
    if chosen is not None and scheme != "dynamic":
        warning = warn_if_calibration_shifted(fp32, network.info, chosen.calibrate)
        found = ranges(fp32, chosen.calibrate, method)
        if data:
            seen = ranges(fp32, validation_inputs(data, network.size), method, "compare")
            warn_if_ranges_differ(found, seen, "the validation split")

    def made(float_nodes: Sequence[str]) -> onnx.ModelProto:
        result = quantized(fp32, scheme, found, float_nodes)
        about = _description(scheme, method, chosen, float_nodes)
        own = ModelInfo(quantized=about, precision=SUFFIX[scheme], warning=warning or None)
        onnx.helper.set_model_props(result, network.metadata | own.to_metadata())
        return result

    reference = Fp32Reference(network, chosen.judge) if chosen is not None else None
    if auto is not None and reference is not None:
        float_nodes = auto_float_nodes(made, model, reference, auto, list(float_nodes), data)
    with atomic_write(output) as temporary:
        onnx.save(made(float_nodes), temporary)
        smaller = OnnxNetwork(temporary, threads=1, warn=False)
        known = reference.compare(smaller) if reference is not None else None
    print(f"{model} -> {output}: {model.stat().st_size / 1e6:.2f} -> {output.stat().st_size / 1e6:.2f} MB")
    print(f"  {_description(scheme, method, chosen, float_nodes)}")
    if known is not None and chosen is not None:
        judged = f"evaluated on {len(chosen.judge)} images of {chosen.source}"
        print(f"  {known}; {judged if scheme == 'dynamic' else chosen}")
    return output


def write_int8(model: Path, inputs: Iterator[NDArray[np.float32]], output: Path) -> None:
    """Write the static int8 version of an fp32 file, calibrated on images of shape (1, 3, height, width)."""
    fp32 = prepared(model)
    int8 = quantized(fp32, "static", ranges(fp32, inputs, title=None))
    int8.metadata_props.extend(onnx.load(model).metadata_props)
    onnx.save(int8, output)


def _check(scheme: str, method: str, auto: float | None) -> None:
    for name, value, known in (("scheme", scheme, get_args(Scheme)), ("method", method, get_args(Method))):
        if value not in known:
            close = difflib.get_close_matches(value, known, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"{name} {value!r} is not one of {', '.join(known)}{meant}")
    if auto is not None and scheme == "dynamic":
        raise ValueError("--auto needs --scheme static or a16w8: dynamic only quantizes weights")
    if auto is not None and not 0 < auto < 1:
        raise ValueError(f"--auto {auto}: must be between 0 and 1, such as 0.01 for 1%")


def _description(scheme: Scheme, method: str, chosen: Images | None, float_nodes: Sequence[str]) -> str:
    """Describe the quantization for the metadata."""
    parts = [_SUMMARY[scheme]]
    if scheme != "dynamic" and chosen is not None:
        parts.append(f"{len(chosen.calibrate)} calibration images, {method}")
    if float_nodes:
        parts.append(f"also in float: {' '.join(float_nodes)}")
    return ", ".join(parts)
