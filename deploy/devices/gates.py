"""Checks of ONNX files for phones that need no phone. Imports torch only to count partitions."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from rich.progress import Progress

from deploy.devices.arm_comparison import CPUS, agreement, arm_python, noise
from deploy.inference.images import to_input
from deploy.inference.onnx_network import open_session
from deploy.measure.macs import is_int8
from lightning_app.image_files import find_images, read_image

Status = Literal["passed", "failed", "skipped"]

# Limits of ONNX Runtime 1.18 (May 2024), the last release with the reduced package onnxruntime-mobile.
OPSET, IR_VERSION, RUNTIME = 21, 10, "ONNX Runtime 1.18"
DOMAINS = ("", "ai.onnx", "com.microsoft")
IMAGES = 2  # number of images for the comparison on ARM
LEAST_DB = 45.0  # minimum SQNR on ARM: a tenth of the noise of int8 itself (33 to 37 dB)
_COREML = ("CoreML NeuralNetwork", "CoreML MLProgram")
_ARM = {f"ARM ({cpu})": cpu for cpu in CPUS}
GATES = ("static shapes", "operators", "NNAPI", *_COREML, "Snapdragon (QNN)", *_ARM)


@dataclass(frozen=True)
class Gate:
    """The result of one check of a file.

    Attributes:
        file: path of the file.
        gate: name of the check.
        status: ``passed``, ``failed`` or ``skipped``.
        detail: finding, or the reason why the check was skipped.
    """

    file: str
    gate: str
    status: Status
    detail: str


def check_gates(model: Path, images: Path | None = None) -> list[Gate]:
    """Check the shapes and operators of an ONNX file, and its support by accelerators and ARM CPUs.

    Args:
        model: ONNX file.
        images: folder whose first two images are run on ARM; multi-scale noise if None.

    Returns:
        The result of each check in :data:`GATES`, in that order.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: not an ONNX file, or a truncated one.
    """
    open_session(model)
    graph = onnx.load(model)
    with suppress(onnx.shape_inference.InferenceError):  # the checks report missing shapes
        graph = onnx.shape_inference.infer_shapes(graph)
    checks: dict[str, Callable[[], tuple[Status, str]]] = {
        "static shapes": partial(_static, graph),
        "operators": partial(_operators, graph),
        **{name: partial(_mobile, graph, name) for name in ("NNAPI", *_COREML)},
        "Snapdragon (QNN)": partial(_qnn, model),
        **{f"ARM ({cpu})": partial(_arm, model, graph, images, cpu) for cpu in CPUS},
    }
    found = []
    with Progress(transient=True) as progress:
        for name, check in progress.track(checks.items(), description=f"check {model.name}"):
            found.append(Gate(str(model), name, *check()))
    return found


def _static(model: onnx.ModelProto) -> tuple[Status, str]:
    dynamic = _dynamic(model)
    if dynamic:
        return "failed", f"{dynamic} has no static shape, which accelerators require; export with a fixed size"
    named = {value.name: "x".join(map(str, _sides(value))) for value in (*model.graph.input, *model.graph.output)}
    return "passed", ", ".join(f"{name} {shape}" for name, shape in named.items())


def _dynamic(model: onnx.ModelProto) -> str:
    """The name of the first input or output with a dynamic shape; empty if there is none."""
    values = (*model.graph.input, *model.graph.output)
    return next((value.name for value in values if not _sides(value) or 0 in _sides(value)), "")


def _sides(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _operators(model: onnx.ModelProto) -> tuple[Status, str]:
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in DOMAINS})
    versions = f"opset {opset}, IR version {model.ir_version}"
    if foreign:
        return "failed", f"{foreign[0]} is not an operator of ONNX Runtime"
    if opset > OPSET or model.ir_version > IR_VERSION:
        return "failed", f"{versions}: {RUNTIME} supports at most opset {OPSET} and IR version {IR_VERSION}"
    return "passed", f"{versions}: {RUNTIME} and later"


def _mobile(model: onnx.ModelProto, name: str) -> tuple[Status, str]:
    from deploy.measure.mobile_partitions import mobile_partitions  # imports torch

    if name in _COREML and is_int8(model):
        return "skipped", "CoreML does not support QDQ; ship the fp32 or fp16 file to iPhones"
    if _dynamic(model):
        return "failed", "requires static shapes"
    partitions = mobile_partitions(model)[name]
    pieces = f"{partitions} partition{'s'[: partitions != 1]}"
    return (
        ("passed", pieces)
        if partitions == 1
        else ("failed", f"{pieces}; tensors are copied between accelerator and CPU")
    )


def _qnn(model: Path) -> tuple[Status, str]:
    try:
        qnn = importlib.import_module("deploy.convert.to_qnn")
        with tempfile.TemporaryDirectory() as folder:
            size_mb = qnn.compile_context(model, Path(folder) / "context.onnx").stat().st_size / 1e6
    except ImportError as error:
        return "skipped", str(error)
    except (RuntimeError, ValueError, OSError) as error:
        return "failed", str(error)
    return "passed", f"the whole graph, no fallback to the CPU; {size_mb:.1f} MB"


def _arm(model: Path, graph: onnx.ModelProto, images: Path | None, cpu: str) -> tuple[Status, str]:
    # Convolutions use integer arithmetic, which is identical on all CPUs. Additions and the head use float, and CPUs
    # round differently: a tie may round to the next quantization step, which changes all following tensors.
    if not is_int8(graph):
        return "skipped", "applies to int8 files only; CPUs round float differently"
    if _dynamic(graph):
        return "skipped", "requires static shapes"
    if len(_sides(graph.graph.input[0])) != 4:
        return "skipped", "a file with camera input; check the file that it was made from"
    _, _, height, width = _sides(graph.graph.input[0])
    size = (height, width)
    chosen = [to_input(read_image(path), size) for path in find_images(images)[:IMAGES]] if images else []
    try:
        found = agreement(model, np.concatenate(chosen) if chosen else noise(size, IMAGES), cpu, arm_python())
    except FileNotFoundError as error:
        return "skipped", str(error)
    except RuntimeError as error:
        return "failed", str(error)
    bits = f"{found.equal} of {found.tensors} int8 tensors are bit-identical"
    first = f", the first difference is in {found.first}" if found.first else ""
    detail = f"{bits}{first}; SQNR of the output against this machine: {found.sqnr_db:.0f} dB"
    return ("passed" if found.sqnr_db >= LEAST_DB else "failed"), detail
