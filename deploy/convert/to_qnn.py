"""Compilation of ONNX files to QNN contexts for the NPU (HTP) of Snapdragons, ahead of time. No torch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import onnx
import onnxruntime

from deploy.inference.images import spread
from deploy.inference.model_info import ModelInfo
from deploy.inference.onnx_network import OnnxNetwork
from deploy.inference.optional_packages import quiet, require
from deploy.measure.agreement import random_images, read_inputs
from deploy.measure.sqnr import Fp32Reference
from lightning_app.files import atomic_write, refuse_existing
from lightning_app.image_files import find_images

Chip = Literal["SM8450", "SM8550", "SM8650", "SM8750", "SM8850"]

# Qualcomm's SoC model numbers of Snapdragon 8 Gen 1, 2, 3, 8 Elite and 8 Elite Gen 5. Older NPUs do not support the
# float head.
CHIPS: dict[str, int] = {"SM8450": 36, "SM8550": 43, "SM8650": 57, "SM8750": 69, "SM8850": 87}
PROVIDER = "QNNExecutionProvider"
LEAST_DB = 10.0  # minimum SQNR; an output below it is unusable
CHECKED = 8  # number of images to compare on; the simulator takes a second per image


def to_qnn(
    model: Path,
    output: Path | None = None,
    chip: Chip = "SM8650",
    images: Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Compile an ONNX file for a Snapdragon's NPU, and compare Qualcomm's simulator with ONNX Runtime.

    Args:
        model: ONNX file: int8 or 16-bit QDQ, or float, which the NPU computes in fp16.
        output: ONNX file that holds the context; ``NAME-CHIP.onnx`` next to the model if None.
        chip: Snapdragon to compile for.
        images: folder of images to compare on; noise if None.
        overwrite: replace an existing ``output``.

    Returns:
        Path of the file.

    Raises:
        ImportError: onnxruntime-qnn is not installed.
        FileNotFoundError: no such model or folder, or no image in the folder.
        FileExistsError: ``output`` exists.
        ValueError: not an ONNX file of an image -> depth network, or an unknown chip.
        RuntimeError: part of the graph would run on the CPU, QNN cannot compile the graph, or the simulator does not
            agree with ONNX Runtime. Nothing is written.
    """
    output = output or model.with_name(f"{model.stem}-{chip.lower()}.onnx")
    refuse_existing(output, overwrite=overwrite)
    require("onnxruntime_qnn", "qnn")
    network = OnnxNetwork(model)
    paths = spread(find_images(images), CHECKED) if images else []
    inputs = read_inputs(paths, network.size) if paths else random_images(network.size)
    with atomic_write(output) as temporary:
        compile_context(model, temporary, chip)
        with quiet("simulate"):
            simulated = _Simulated(model, chip)
            sqnr = Fp32Reference(network, inputs).compare(simulated).sqnr_db
        if not sqnr >= LEAST_DB:
            raise RuntimeError(
                f"{model}: SQNR of the simulated NPU of {chip} against ONNX Runtime is {sqnr:.1f} dB, below the "
                f"minimum {LEAST_DB:.0f} dB"
            )
    print(f"{model} -> {output}: {chip}, the whole graph on its NPU, {output.stat().st_size / 1e6:.2f} MB")
    shown = f"{len(paths)} images" if paths else "noise"
    print(f"  SQNR of the simulated NPU against ONNX Runtime: {sqnr:.1f} dB on {shown}; not run on the chip itself")
    return output


def compile_context(model: Path, output: Path, chip: Chip = "SM8650") -> Path:
    """Compile the whole graph of an ONNX file for a Snapdragon's NPU.

    Args:
        model: ONNX file, as in :func:`to_qnn`.
        output: ONNX file to write. Its only node is the context.
        chip: Snapdragon to compile for.

    Returns:
        ``output``.

    Raises:
        ImportError: onnxruntime-qnn is not installed.
        FileNotFoundError: no such model.
        ValueError: not an ONNX file of an image -> depth network, or an unknown chip.
        RuntimeError: part of the graph would run on the CPU, or QNN cannot compile the graph. Nothing is written.
    """
    if chip not in CHIPS:
        raise ValueError(f"unknown chip {chip}; supported chips: {', '.join(CHIPS)}")
    require("onnxruntime_qnn", "qnn")
    metadata = OnnxNetwork(model).metadata
    with atomic_write(output) as temporary:
        with quiet("compile"):
            error = _compile(model, temporary, chip, fallback=False)
        if error:
            raise RuntimeError(
                f"{model}: {_cpu_nodes_message(model, chip) or f'QNN cannot compile it for {chip} ({error})'}"
            )
        context = onnx.load(temporary)
        own = {each.key: each.value for each in context.metadata_props}
        onnx.helper.set_model_props(context, own | metadata | ModelInfo(chip=chip).to_metadata())
        onnx.save(context, temporary)
    return output


def _cpu_nodes_message(model: Path, chip: Chip) -> str:
    """The error message for nodes that QNN leaves to the CPU; empty if there are none."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        mixed = Path(folder) / "mixed.onnx"
        if _compile(model, mixed, chip, fallback=True) or not mixed.is_file():
            return ""
        nodes = [f"{node.op_type} {node.name}".strip() for node in onnx.load(mixed).graph.node]
    left = [node for node in nodes if not node.startswith("EPContext")]
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return f"{', '.join(left[:3])}{more} would run on the CPU, not on the NPU of {chip}" if left else ""


def _compile(model: Path, output: Path, chip: Chip, fallback: bool) -> str:
    """Write the context. Returns QNN's error message, or an empty string."""
    options = _options(chip, fallback)
    options.add_session_config_entry("ep.context_enable", "1")
    options.add_session_config_entry("ep.context_embed_mode", "1")
    options.add_session_config_entry("ep.context_file_path", str(output))
    try:
        onnxruntime.InferenceSession(str(model), options)
    except Exception as error:  # the exceptions of onnxruntime have no public base class
        return str(error).splitlines()[0]
    return ""


class _Simulated:
    """Runs an ONNX file in Qualcomm's simulator of a chip's NPU."""

    def __init__(self, model: Path, chip: Chip) -> None:
        self.session = onnxruntime.InferenceSession(str(model), _options(chip, fallback=False))

    def __call__(self, image: Any) -> Any:
        return self.session.run(None, {self.session.get_inputs()[0].name: image})[0]


def _options(chip: Chip, fallback: bool) -> onnxruntime.SessionOptions:
    package = require("onnxruntime_qnn", "qnn")
    if PROVIDER not in {device.ep_name for device in onnxruntime.get_ep_devices()}:
        onnxruntime.register_execution_provider_library(PROVIDER, package.get_library_path())
    device = next(device for device in onnxruntime.get_ep_devices() if device.ep_name == PROVIDER)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal only: errors are raised as exceptions
    options.add_session_config_entry("session.disable_cpu_ep_fallback", str(int(not fallback)))
    options.add_provider_for_devices(
        [device], {"backend_path": package.get_qnn_htp_path(), "soc_model": str(CHIPS[chip])}
    )
    return options
