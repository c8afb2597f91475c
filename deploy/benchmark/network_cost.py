"""What networks cost on this CPU: parameters, operations, and latency in fp32 and int8."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.progress import track
from torch import nn

from deploy.export.to_onnx import to_onnx
from deploy.inference.images import find_images, read_image, spread, to_input
from deploy.measure.timing import measure
from deploy.quantization.quantize import write_int8
from models import DepthNetwork

N = TypeVar("N", bound=nn.Module)
CALIBRATION = 8  # images: latency hardly depends on what they show


@dataclass(frozen=True)
class Cost:
    """One network's figures.

    Attributes:
        parameters: of the network in training, before blocks are fused.
        gmac: 10^9 multiply-accumulates of one run.
        fp32_ms: median latency.
        int8_ms: the same of the int8 file.
        int8_mb: that file's size, in 10^6 bytes.
    """

    parameters: int
    gmac: float
    fp32_ms: float
    int8_ms: float
    int8_mb: float


def costs(
    networks: Mapping[str, DepthNetwork], size: tuple[int, int], images: Path | None, threads: int, runs: int
) -> dict[str, Cost]:
    """Export and quantize networks, and time all files in turn.

    Args:
        networks: in evaluation mode, by name.
        size: (height, width) that all are given.
        images: a folder to calibrate on; noise if None, which is enough for the latency of networks without weights.
        threads: of each session.
        runs: timed runs of each file, interleaved.

    Raises:
        ValueError: a size that a network's stride does not divide.
    """
    for network in networks.values():
        network.check_size(size)
    if images is None:
        inputs = noise(size)
    else:
        inputs = [to_input(read_image(path), size) for path in spread(find_images(images), CALIBRATION)]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, network in track(networks.items(), "export and quantize"):
            fp32, int8 = Path(folder) / f"{name}.onnx", Path(folder) / f"{name}-int8.onnx"
            onnx.save(to_onnx(network, size), fp32)
            write_int8(fp32, iter(inputs), int8)
            files += [fp32, int8]
        rows = measure(files, threads, runs)
    return {
        name: Cost(
            sum(parameter.numel() for parameter in network.parameters()),
            cast(float, fp32.gmac),
            fp32.p50_ms,
            int8.p50_ms,
            int8.size_mb,
        )
        for (name, network), fp32, int8 in zip(networks.items(), rows[::2], rows[1::2], strict=True)
    }


def noise(size: tuple[int, int]) -> list[NDArray[np.float32]]:
    """What networks without weights are calibrated on: images (1, 3, height, width) in [0, 1]."""
    random = np.random.default_rng(0)
    return [random.random((1, 3, *size), dtype=np.float32) for _ in range(CALIBRATION)]


def reset_zero_init_batchnorm(network: N) -> N:
    """For measuring: timm starts the last BatchNorm of a residual branch at 0, and runtimes leave such branches out."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.any():
            nn.init.ones_(module.weight)
    return network.eval().requires_grad_(False)
