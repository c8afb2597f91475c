"""Time per layer of an ONNX file. Does not import torch."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from deploy.inference.onnx_network import OnnxNetwork

WARMUP = 3


@dataclass(frozen=True)
class LayerTime:
    """Time of one node in ONNX Runtime's optimised graph.

    Attributes:
        name: name of the node.
        kind: operator that ONNX Runtime executes.
        output: shape of the first output.
        time_ms: median time over the runs.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    time_ms: float


def layer_times(path: Path, threads: int = 1, runs: int = 20) -> list[LayerTime]:
    """Time each node with ONNX Runtime's profiler.

    The profiler adds a few microseconds per node, so the sum is slightly larger than the latency of the file.

    Args:
        path: ONNX file.
        threads: number of threads of the session.
        runs: number of timed runs.

    Returns:
        One entry per node, in the order of execution.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: not an image -> depth network in ONNX.
    """
    size = OnnxNetwork(path, threads).size
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
        for _ in range(WARMUP + runs):
            session.run(None, {session.get_inputs()[0].name: image})
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[str, list[float]] = defaultdict(list)
    about: dict[str, tuple[str, tuple[int, ...]]] = {}
    for event in events:
        name = event["name"].removesuffix("_kernel_time")
        if event.get("cat") != "Node" or name == event["name"]:
            continue
        times[name].append(event["dur"] / 1e3)
        shapes = event["args"].get("output_type_shape") or [{"": []}]
        about[name] = event["args"]["op_name"], tuple(next(iter(shapes[0].values())))
    return [LayerTime(name, *about[name], float(np.median(each[WARMUP:]))) for name, each in times.items()]
