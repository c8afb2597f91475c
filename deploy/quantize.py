"""ONNX fp32 -> static int8. No torch."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from rich.progress import track

from deploy.images import find_images, read_image, to_input
from deploy.macs import is_int8
from deploy.runtime import OnnxNetwork
from lightning_app.files import refuse_existing, written_whole


def quantize(model: Path, images: Path, output: Path | None = None, number: int = 64, overwrite: bool = False) -> Path:
    """Write a static int8 file: QDQ, per-channel int8 weights, uint8 activations by minimum and maximum.

    The head, from the last convolution on, stays in float: an int8 head knows 256 depths, and the last step is metres
    wide.

    Args:
        model: fp32 ONNX file.
        images: folder of calibration images, like those that the network will see.
        output: the int8 file; ``NAME-int8.onnx`` beside the model if left out.
        number: how many images are used at most, spread evenly over the folder.
        overwrite: replace an ``output`` that exists.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: no such model or folder, or no image in it.
        FileExistsError: ``output`` exists.
        ValueError: not an ONNX file, or one that is quantized already.
        OSError: a damaged image.
    """
    output = output or model.with_name(f"{model.stem}-int8.onnx")
    refuse_existing(output, overwrite=overwrite)
    network = OnnxNetwork(model)
    if is_int8(onnx.load(model)):
        raise ValueError(f"{model}: is quantized already; give its fp32 file")
    paths = find_images(images)
    chosen = paths[:: max(1, -(-len(paths) // number))]
    inputs = (to_input(read_image(path), network.size) for path in track(chosen, "calibrate"))
    with written_whole(output) as temporary:
        write_int8(model, inputs, temporary)
        quantized = onnx.load(temporary)
        onnx.helper.set_model_props(
            quantized, network.metadata | {"quantized": f"int8 QDQ, head in float, {len(chosen)} calibration images"}
        )
        onnx.save(quantized, temporary)
        noise = signal_to_noise(network, OnnxNetwork(temporary), chosen)
    before, after = model.stat().st_size / 1e6, output.stat().st_size / 1e6
    print(f"{model} -> {output}: {before:.2f} -> {after:.2f} MB, {len(chosen)} images, ", end="")
    print(f"SQNR of the depth {noise:.1f} dB")
    return output


def write_int8(model: Path, inputs: Iterator[NDArray[np.float32]], output: Path) -> None:
    """Write the int8 file of an fp32 one, calibrated on images (1, 3, height, width)."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        quantize_static(
            prepared,
            output,
            _Calibration(graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=head_nodes(graph),
        )


def head_nodes(graph: onnx.GraphProto) -> list[str]:
    """The names of the last convolution and of all nodes after it."""
    kinds = [node.op_type for node in graph.node]
    convolutions = [index for index, kind in enumerate(kinds) if kind in ("Conv", "ConvTranspose")]
    if not convolutions:
        raise ValueError("the model has no convolution, so no head to keep in float")
    return [node.name for node in list(graph.node)[convolutions[-1] :]]


def signal_to_noise(reference: OnnxNetwork, other: OnnxNetwork, images: list[Path], most: int = 8) -> float:
    """Signal to quantization noise of depth in dB over the first images: 10 log10(sum p^2 / sum (p - q)^2)."""
    signal = noise = 0.0
    for path in images[:most]:
        image = to_input(read_image(path), reference.size)
        expected = reference(image).astype(np.float64)
        signal += float(np.square(expected).sum())
        noise += float(np.square(expected - other(image)).sum())
    return 10 * float(np.log10(signal / max(noise, 1e-30)))


@contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime warns of each thing that it leaves in float, here on purpose."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: Iterator[NDArray[np.float32]]) -> None:
        self.name, self.inputs = name, inputs

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self.inputs, None)
        return None if image is None else {self.name: image}
