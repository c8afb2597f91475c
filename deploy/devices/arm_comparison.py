"""An int8 file on ARM against the same file on this machine. No torch."""

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
# The two ways that ONNX Runtime multiplies int8: without dot product instructions, and with them (Cortex-A76's core).
CPUS = ("cortex-a53", "neoverse-n1")


@dataclass(frozen=True)
class Agreement:
    """How a file's int8 values on ARM agree with this machine's.

    Attributes:
        cpu: that qemu plays.
        tensors: quantized ones, over the whole graph.
        equal: how many of them are so bit for bit.
        first: the first that is not, with how many of its values; empty where all are equal.
        sqnr_db: of the output on ARM against this machine's; infinite where they are equal.
    """

    cpu: str
    tensors: int
    equal: int
    first: str
    sqnr_db: float


def arm_python() -> Path:
    """The ARM Python of the environment variable ``POCKETDEPTH_ARM_PYTHON``, else the one that ``make arm`` makes.

    Raises:
        FileNotFoundError: there is none.
    """
    python = Path(os.environ.get(PYTHON, ".venv/arm/python"))
    if not python.is_file():
        raise FileNotFoundError(f"{python}: no ARM Python; `make arm` sets one up under qemu, {PYTHON} names another")
    return python


def agreement(model: Path, images: NDArray[np.float32], cpu: str, python: Path) -> Agreement:
    """Run a quantized file here and on ARM, and compare the output and every quantized tensor on the way to it.

    Args:
        model: int8 ONNX file.
        images: RGB in [0, 1], (N, 3, height, width).
        cpu: that qemu plays; means nothing on real ARM.
        python: an ARM one with numpy and onnxruntime.

    Raises:
        RuntimeError: the ARM Python failed.
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(model))
    last = graph.graph.output[0].name
    quantized = {node.output[0] for node in graph.graph.node if node.op_type == "QuantizeLinear"}
    graph.graph.output.extend(value for value in graph.graph.value_info if value.name in quantized)
    with tempfile.TemporaryDirectory() as folder:
        opened, inputs, outputs = (Path(folder) / name for name in ("opened.onnx", "images.npy", "outputs.npz"))
        onnx.save(graph, opened)
        np.save(inputs, images)
        command = [str(part) for part in (python, on_arm.__file__, opened, inputs, outputs)]
        run = subprocess.run(command, env={**os.environ, "QEMU_CPU": cpu}, capture_output=True, text=True, check=False)
        if run.returncode:
            said = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
            raise RuntimeError(f"{model} on {cpu}: {said[-1]}")
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


def noise(size: tuple[int, int], number: int) -> NDArray[np.float32]:
    """Noise at all scales, as photographs have it, and always the same: (number, 3, height, width) in [0, 1]."""
    generator = np.random.default_rng(0)
    images = np.zeros((number, 3, *size), np.float32)
    for scale in (1, 2, 4, 8, 16, 32):
        coarse = generator.random((number, 3, -(-size[0] // scale), -(-size[1] // scale)), dtype=np.float32)
        images += np.kron(coarse, np.ones((scale, scale), np.float32))[..., : size[0], : size[1]] * np.float32(scale)
    return images / np.float32(63)
