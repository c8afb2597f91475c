"""Quantized files with one layer in float each: their accuracy and their time. No torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx
from rich.progress import track

from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.sqnr import Deviation, Fp32Reference
from deploy.quantization.quantizer import head_nodes, quantized_layers

Make: TypeAlias = Callable[[Sequence[str]], onnx.ModelProto]  # names of nodes that stay in float -> a quantized model
WARMUP = 3


class Variant(NamedTuple):
    """A quantized file.

    Attributes:
        node: what is in float beside the head; empty in the file that the others are compared with.
        path: the file.
        size: of the file, in bytes.
        deviation: from fp32.
    """

    node: str
    path: Path
    size: int
    deviation: Deviation


def int8_layers(model: onnx.ModelProto, float_nodes: Sequence[str] = ()) -> list[str]:
    """The names of the layers that are in int8 in a quantized model with ``float_nodes`` in float."""
    kept = {*head_nodes(model), *float_nodes}  # what they take may be quantized all the same
    return [node for node in quantized_layers(model.graph) if node not in kept]


def variants(make: Make, reference: Fp32Reference, folder: Path) -> list[Variant]:
    """A quantized file, and one for each of its layers with that in float.

    Args:
        make: quantizes.
        reference: what each file is compared with.
        folder: of the files.
    """
    base = make([])

    def variant(node: str, model: onnx.ModelProto, path: Path) -> Variant:
        onnx.save(model, path)
        return Variant(node, path, path.stat().st_size, reference.compare(OnnxNetwork(path, threads=1)))

    found = [variant("", base, folder / "base.onnx")]
    for index, node in enumerate(track(int8_layers(base), "one layer in float")):
        found.append(variant(node, make([node]), folder / f"{index}.onnx"))
    return found


def alone_db(
    make: Make,
    reference: Fp32Reference,
    layers: Sequence[str],
    float_nodes: Sequence[str],
) -> dict[str, float]:
    """The SQNR in dB of each layer alone in int8: what noise it makes, which no other layer's error hides.

    Args:
        make: quantizes.
        reference: what each file is compared with.
        layers: all that may be in int8.
        float_nodes: what is in float in any case.
    """
    found = {}
    with TemporaryDirectory() as name:
        path = Path(name) / "alone.onnx"
        for node in track(layers, "one layer in int8"):
            onnx.save(make([*float_nodes, *(other for other in layers if other != node)]), path)
            found[node] = reference.compare(OnnxNetwork(path, threads=1)).sqnr_db
    return found


def costs_ms(base: Path, others: Sequence[Path], runs: int, threads: int = 1) -> tuple[float, list[float]]:
    """The median latency of a file, and by how much each of others is slower: the median over rounds of the difference
    to a run of the first just before.
    """
    tasks = [_task(path, threads) for path in (base, *others)]
    own, differences = [], np.zeros((runs, len(others)))
    for run in track(range(-WARMUP, runs), "time"):
        for index, task in enumerate(tasks[1:]):
            before, after = _seconds(tasks[0]), _seconds(task)
            if run >= 0:
                own.append(before)
                differences[run, index] = after - before
    return float(np.median(own) * 1e3), [float(value * 1e3) for value in np.median(differences, axis=0)]


def _task(path: Path, threads: int) -> Callable[[], object]:
    network = OnnxNetwork(path, threads)
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    return lambda: network(image)


def _seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start
