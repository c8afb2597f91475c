"""``pocketdepth quantize``: ONNX fp32 -> int8. Imports torch for a data module alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.sqnr import Fp32Reference
from deploy.quantization.auto_float_layers import auto_float_nodes
from deploy.quantization.calibration import Images, Method, ranges, read_images, validation_inputs
from deploy.quantization.calibration_shift import warn_if_calibration_shifted, warn_if_ranges_differ
from deploy.quantization.quantizer import Scheme, open_fp32, prepared, quantized
from lightning_app.files import atomic_write, refuse_existing

SUFFIX = {"static": "int8", "dynamic": "dynamic", "a16w8": "a16w8"}
_SAYS = {
    "static": "int8 QDQ, a small stem and the head in float",
    "dynamic": "int8 weights, head in float: a smaller file, not a faster one on ONNX Runtime's CPU",
    "a16w8": "16-bit activations and int8 weights, QDQ, head in float: for NPUs, slower than int8 on a CPU",
}


def quantize(
    model: Path,
    images: Path | None = None,
    data: Sequence[Path] = (),
    scheme: Scheme = "static",
    method: Method = "minmax",
    number: int = 64,
    float_nodes: Sequence[str] = (),
    auto: float | None = None,
    output: Path | None = None,
    overwrite: bool = False,
    skip_corrupt: bool = False,
) -> Path:
    """Write a quantized file, by default static int8: QDQ, per-channel int8 weights, uint8 activations.

    The head, from the last convolution on, stays in float: an int8 head knows 256 depths, and the last step is metres
    wide. So does, in static int8, a convolution of 3x3 that reads the image. The result is judged by images that were
    kept back, where there are enough.

    Args:
        model: fp32 ONNX file.
        images: folder of calibration images, like those that the network will see.
        data: YAMLs of an experiment, the later wins. Its training frames are calibrated on where there is no folder;
            its ``val`` frames tell whether the ranges fit, and their truth decides for ``auto``.
        scheme: ``static``; ``dynamic`` (a smaller file, not a faster one on ONNX Runtime's CPU; needs no images); or
            ``a16w8`` (16-bit activations, for NPUs).
        method: ``minmax``, ``percentile`` or ``entropy``.
        number: how many images are calibrated on at most, spread evenly.
        float_nodes: names of nodes that stay in float, too.
        auto: the accuracy loss that is allowed; the fewest layers that it takes stay in float, see
            ``deploy.quantization.auto_float_layers``. With ``data``, the relative growth of abs_rel on the ``val``
            frames under the first protocol; else the mean change of depth against fp32 on the images kept back.
        output: the file; ``NAME-int8.onnx``, ``-dynamic`` or ``-a16w8`` beside the model if left out.
        overwrite: replace an ``output`` that exists.
        skip_corrupt: report corrupt images and go on.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: no such model, folder or YAML, or no image in it.
        FileExistsError: ``output`` exists.
        ValueError: not an fp32 ONNX file, or one that is quantized already; nothing to calibrate on; an unknown scheme,
            method or node.
        OSError: a corrupt image.
        RuntimeError: all images are corrupt, or ``auto`` cannot be met.
    """
    _check(scheme, method, auto)
    output = output or model.with_name(f"{model.stem}-{SUFFIX[scheme]}.onnx")
    refuse_existing(output, overwrite=overwrite)
    network = open_fp32(model)
    fp32 = prepared(model, scheme)
    quantized_blindly = scheme == "dynamic" and images is None and not data
    chosen = None if quantized_blindly else read_images(images, data, network.size, number, skip_corrupt)
    found, warning = None, ""
    if chosen is not None and scheme != "dynamic":
        warning = warn_if_calibration_shifted(fp32, network.info, chosen.calibrate)
        found = ranges(fp32, chosen.calibrate, method)
        if data:
            seen = ranges(fp32, validation_inputs(data, network.size), method, "compare")
            warn_if_ranges_differ(found, seen, "the frames of val")

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
        smaller = OnnxNetwork(temporary, threads=1)
        known = reference.compare(smaller) if reference is not None else None
    print(f"{model} -> {output}: {model.stat().st_size / 1e6:.2f} -> {output.stat().st_size / 1e6:.2f} MB")
    print(f"  {_description(scheme, method, chosen, float_nodes)}")
    if known is not None and chosen is not None:
        judged = f"judged by {len(chosen.judge)} images of {chosen.source}"
        print(f"  {known}; {judged if scheme == 'dynamic' else chosen}")
    return output


def write_int8(model: Path, inputs: Iterator[NDArray[np.float32]], output: Path) -> None:
    """Write the static int8 file of an fp32 one, calibrated on images (1, 3, height, width)."""
    fp32 = prepared(model)
    int8 = quantized(fp32, "static", ranges(fp32, inputs, title=None))
    int8.metadata_props.extend(onnx.load(model).metadata_props)
    onnx.save(int8, output)


def _check(scheme: str, method: str, auto: float | None) -> None:
    for name, value, known in (("scheme", scheme, get_args(Scheme)), ("method", method, get_args(Method))):
        if value not in known:
            raise ValueError(f"{name} {value!r} is not one of {', '.join(known)}")
    if auto is not None and scheme == "dynamic":
        raise ValueError("--auto needs --scheme static or a16w8: dynamic quantizes weights alone")
    if auto is not None and not 0 < auto < 1:
        raise ValueError(f"--auto {auto}: the loss is a share, such as 0.01 for 1 %")


def _description(scheme: Scheme, method: str, chosen: Images | None, float_nodes: Sequence[str]) -> str:
    parts = [_SAYS[scheme]]
    if scheme != "dynamic" and chosen is not None:
        parts.append(f"{len(chosen.calibrate)} calibration images, {method}")
    if float_nodes:
        parts.append(f"also in float: {' '.join(float_nodes)}")
    return ", ".join(parts)
