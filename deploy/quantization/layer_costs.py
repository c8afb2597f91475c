"""Accuracy and latency of quantized files with a single layer in float or in int8. Does not import torch."""

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

Make: TypeAlias = Callable[[Sequence[str]], onnx.ModelProto]  # names of nodes that stay in float -> quantized model
WARMUP = 3


class Variant(NamedTuple):
    """A quantized file with at most one additional layer in float.

    Attributes:
        node: name of the additional layer in float; empty for the baseline without one.
        path: path of the file.
        size: file size in bytes.
        deviation: deviation from the fp32 reference.
    """

    node: str
    path: Path
    size: int
    deviation: Deviation


def int8_layers(model: onnx.ModelProto, float_nodes: Sequence[str] = ()) -> list[str]:
    """Return the names of the layers in int8 of a quantized model with ``float_nodes`` in float."""
    kept = {*head_nodes(model), *float_nodes}  # their inputs can still be quantized
    return [node for node in quantized_layers(model.graph) if node not in kept]


def variants(make: Make, reference: Fp32Reference, folder: Path) -> list[Variant]:
    """Write the quantized baseline and one file per layer with that layer in float.

    Args:
        make: function that quantizes with given nodes in float.
        reference: fp32 reference that each file is compared with.
        folder: folder for the files.

    Returns:
        The baseline, followed by one variant per layer.
    """
    base = make([])

    def variant(node: str, model: onnx.ModelProto, path: Path) -> Variant:
        onnx.save(model, path)
        return Variant(node, path, path.stat().st_size, reference.compare(OnnxNetwork(path, threads=1, warn=False)))

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
    """Measure the SQNR in dB with a single layer in int8, so that errors of other layers cannot hide its noise.

    Args:
        make: function that quantizes with given nodes in float.
        reference: fp32 reference that each file is compared with.
        layers: names of all layers that can be in int8.
        float_nodes: names of nodes that always stay in float.

    Returns:
        SQNR by layer.
    """
    found = {}
    with TemporaryDirectory() as name:
        path = Path(name) / "alone.onnx"
        for node in track(layers, "one layer in int8"):
            onnx.save(make([*float_nodes, *(other for other in layers if other != node)]), path)
            found[node] = reference.compare(OnnxNetwork(path, threads=1, warn=False)).sqnr_db
    return found


def costs_ms(base: Path, others: Sequence[Path], runs: int, threads: int = 1) -> tuple[float, list[float]]:
    """Measure the latency of a baseline and the additional latency of other files in interleaved runs.

    Args:
        base: baseline file.
        others: files to compare with the baseline. Each run follows a run of the baseline.
        runs: number of timed runs per file.
        threads: number of threads of each session.

    Returns:
        Median latency of the baseline in ms, and the median difference of each other file in ms.
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
    network = OnnxNetwork(path, threads, warn=False)
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    return lambda: network(image)


def _seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start
