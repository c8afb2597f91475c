"""Published networks with random weights, as references for latency."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import onnx
import torch
from rich.progress import track
from torch import nn

from deploy.benchmark.network_cost import noise, reset_zero_init_batchnorm
from deploy.export.to_onnx import to_onnx
from deploy.quantization.quantize import write_int8
from models import DepthNet, DepthNetwork, NNConv5Decoder, PyDNet, UpConvDecoder

NETWORKS: dict[str, Callable[[], DepthNetwork]] = {
    "pydnet": PyDNet,  # arXiv 1806.11430, 2006.05724
    "fastdepth": lambda: DepthNet("mobilenetv1_100", decoder=NNConv5Decoder, output_stride=1),  # arXiv 1903.03273
    "resnet18": lambda: DepthNet("resnet18", decoder=UpConvDecoder),  # as in the project description
}
Reference = tuple[str, tuple[int, int], str]  # name, (height, width), fp32 or int8


def write_references(wanted: Iterable[Reference], folder: Path) -> list[Path]:
    """Export reference networks to ONNX. int8 files are calibrated on noise.

    Args:
        wanted: name, (height, width) and precision of each file.
        folder: folder to write to.

    Returns:
        Path of each file, in the order of ``wanted``.

    Raises:
        ValueError: an unknown network, or a size that is not a multiple of a network's stride.
    """
    networks: dict[tuple[str, tuple[int, int]], nn.Module] = {}
    for name, size, _ in (wanted := list(wanted)):
        networks[name, size] = build_reference(name, size)
    paths = []
    for name, size, precision in track(wanted, "references"):
        stem = f"{name}-{size[0]}x{size[1]}"
        fp32, int8 = folder / f"{stem}.onnx", folder / f"{stem}-int8.onnx"
        if not fp32.exists():
            onnx.save(to_onnx(networks[name, size], size), fp32)
        if precision == "int8":
            write_int8(fp32, iter(noise(size)), int8)
        paths.append(int8 if precision == "int8" else fp32)
    return paths


def build_reference(name: str, size: tuple[int, int]) -> DepthNetwork:
    """Build a reference network with random weights for an input (height, width).

    Raises:
        ValueError: an unknown network, or a size that is not a multiple of its stride.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown reference network {name!r}; choose from {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = reset_zero_init_batchnorm(NETWORKS[name]())
    try:
        network.check_size(size)
    except ValueError as error:
        raise ValueError(f"reference network {name}: {error}") from error
    return network
