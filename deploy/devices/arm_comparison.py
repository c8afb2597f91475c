"""Comparison of int8 files on ARM with the same files on this machine. No torch."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from deploy.devices import on_arm
from deploy.measure.sqnr import sqnr_db

PYTHON = "POCKETDEPTH_ARM_PYTHON"
# ONNX Runtime has two int8 kernels for ARM: without dot product instructions (Cortex-A53) and with them (Neoverse N1,
# the same core as Cortex-A76).
CPUS = ("cortex-a53", "neoverse-n1")


@dataclass(frozen=True)
class Agreement:
    """The agreement of a file on ARM with the same file on this machine.

    Attributes:
        cpu: CPU that qemu emulates.
        tensors: number of quantized tensors in the graph.
        equal: number of quantized tensors that are bit-identical.
        first: the first tensor that differs, and how many of its values do; empty if all are identical.
        sqnr_db: SQNR of the output on ARM against the output on this machine; infinite if they are identical.
    """

    cpu: str
    tensors: int
    equal: int
    first: str
    sqnr_db: float


def arm_python() -> Path:
    """Path of the ARM Python: the environment variable ``POCKETDEPTH_ARM_PYTHON``, or the output of ``make arm``.

    Raises:
        FileNotFoundError: no such file.
    """
    python = Path(os.environ.get(PYTHON, ".venv/arm/python"))
    if not python.is_file():
        raise FileNotFoundError(f"{python}: no ARM Python; run `make arm` to set one up under qemu, or set {PYTHON}")
    return python


def agreement(model: Path, images: NDArray[np.float32], cpu: str, python: Path) -> Agreement:
    """Run a quantized file on this machine and on ARM, and compare the output and all quantized tensors.

    Args:
        model: int8 ONNX file.
        images: RGB in [0, 1], (N, 3, H, W).
        cpu: CPU that qemu emulates; ignored on real ARM hardware.
        python: ARM Python with numpy and onnxruntime.

    Raises:
        RuntimeError: the ARM Python failed.
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(model))
    last = graph.graph.output[0].name
    quantized = {node.output[0] for node in graph.graph.node if node.op_type == "QuantizeLinear"}
    graph.graph.output.extend(value for value in graph.graph.value_info if value.name in quantized)
    _unshare_initializers(graph.graph)
    with tempfile.TemporaryDirectory() as folder:
        opened, inputs, outputs = (Path(folder) / name for name in ("opened.onnx", "images.npy", "outputs.npz"))
        onnx.save(graph, opened)
        np.save(inputs, images)
        command = [str(part) for part in (python, on_arm.__file__, opened, inputs, outputs)]
        run = subprocess.run(command, env={**os.environ, "QEMU_CPU": cpu}, capture_output=True, text=True, check=False)
        if run.returncode:
            lines = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
            raise RuntimeError(f"{model} on {cpu}: {lines[-1]}")
        theirs = dict(np.load(outputs))
        ours = on_arm.run(str(opened), images)
    names = [name for name in ours if name in quantized]
    different = [name for name in names if not np.array_equal(ours[name], theirs[name])]
    first = ""
    if different:
        values = ours[different[0]]
        first = f"{np.count_nonzero(values != theirs[different[0]])} of {values.size} values ({different[0]})"
    equal = np.array_equal(ours[last], theirs[last])
    sqnr = float("inf") if equal else sqnr_db([(ours[last], theirs[last])])
    return Agreement(cpu, len(names), len(names) - len(different), first, sqnr)


def _unshare_initializers(graph: onnx.GraphProto) -> None:
    """Give every input its own initializer: in its exact mode, ONNX Runtime does not open a file that shares some."""
    initializers, seen = {each.name: each for each in graph.initializer}, set()
    for number, node in enumerate(graph.node):
        for index, name in enumerate(node.input):
            if name in seen:
                copy = graph.initializer.add()
                copy.CopyFrom(initializers[name])
                copy.name = node.input[index] = f"{name}_{number}_{index}"
            elif name in initializers:
                seen.add(name)


def noise(size: tuple[int, int], number: int) -> NDArray[np.float32]:
    """Multi-scale noise with a fixed seed, similar in spectrum to photographs: (number, 3, H, W) in [0, 1]."""
    generator = np.random.default_rng(0)
    images = np.zeros((number, 3, *size), np.float32)
    for scale in (1, 2, 4, 8, 16, 32):
        coarse = generator.random((number, 3, -(-size[0] // scale), -(-size[1] // scale)), dtype=np.float32)
        images += np.kron(coarse, np.ones((scale, scale), np.float32))[..., : size[0], : size[1]] * np.float32(scale)
    return images / np.float32(63)
