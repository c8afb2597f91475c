"""Cost of networks on this CPU: parameters, operations, and latency in fp32 and int8."""

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
from deploy.inference.images import spread, to_input
from deploy.measure.timing import measure
from deploy.quantization.quantize import write_int8
from lightning_app.image_files import find_images, read_image
from models import DepthNetwork

N = TypeVar("N", bound=nn.Module)
CALIBRATION = 8  # number of calibration images; their content hardly affects latency


@dataclass(frozen=True)
class Cost:
    """The cost of one network.

    Attributes:
        parameters: number of parameters in training, before blocks are fused.
        gmac: 10^9 multiply-accumulates per run.
        fp32_ms: median latency of the fp32 file.
        int8_ms: median latency of the int8 file.
        int8_mb: size of the int8 file, in 10^6 bytes.
    """

    parameters: int
    gmac: float
    fp32_ms: float
    int8_ms: float
    int8_mb: float


def costs(
    networks: Mapping[str, DepthNetwork], size: tuple[int, int], images: Path | None, threads: int, runs: int
) -> dict[str, Cost]:
    """Export and quantize networks, and time all files in interleaved runs.

    Args:
        networks: networks in evaluation mode, by name.
        size: input (height, width) of all networks.
        images: folder of calibration images; noise if None, which is sufficient for networks with random weights.
        threads: number of threads per session.
        runs: number of timed runs per file, interleaved.

    Returns:
        The cost of each network, by name.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: a size that is not a multiple of a network's stride.
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
    """Calibration images for networks with random weights: uniform noise in [0, 1], (1, 3, H, W) each."""
    random = np.random.default_rng(0)
    return [random.random((1, 3, *size), dtype=np.float32) for _ in range(CALIBRATION)]


def reset_zero_init_batchnorm(network: N) -> N:
    """Set BatchNorm weights that are all 0 to 1, in place, and freeze the network in evaluation mode.

    timm initializes the last BatchNorm of a residual branch with 0. Runtimes remove such branches, and the measured
    latency would be too low.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.any():
            nn.init.ones_(module.weight)
    return network.eval().requires_grad_(False)
