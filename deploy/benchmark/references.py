"""Published networks with random weights, to time beside others."""

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
    "resnet18": lambda: DepthNet("resnet18", decoder=UpConvDecoder),  # the description's
}
Reference = tuple[str, tuple[int, int], str]  # name, (height, width), fp32 or int8


def write_references(wanted: Iterable[Reference], folder: Path) -> list[Path]:
    """Export each network, and quantize it where int8 is wanted, calibrated on noise.

    Raises:
        ValueError: an unknown network, or a size that a network's stride does not divide.
    """
    networks: dict[tuple[str, tuple[int, int]], nn.Module] = {}
    for name, size, _ in (wanted := list(wanted)):
        networks[name, size] = _build(name, size)
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


def _build(name: str, size: tuple[int, int]) -> DepthNetwork:
    if name not in NETWORKS:
        raise ValueError(f"no reference network {name!r}; known are {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = reset_zero_init_batchnorm(NETWORKS[name]())
    try:
        network.check_size(size)
    except ValueError as error:
        raise ValueError(f"the reference {name} cannot be built: {error}") from error
    return network
