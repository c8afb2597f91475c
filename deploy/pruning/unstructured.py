"""``pocketdepth prune --unstructured``: set single weights to zero and measure the effect."""

from __future__ import annotations

import gzip
import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx
from torch import nn
from torch.nn.utils import prune

from deploy.export.to_onnx import to_onnx
from deploy.measure.timing import conditions, measure
from deploy.pruning.prune import RUNS
from deploy.pruning.pruned_checkpoint import with_weights, write_checkpoint
from lightning_app.checkpoints import Checkpoint
from lightning_app.files import refuse_existing
from models.float_layers import head_layers


@dataclass(frozen=True)
class Zeroed:
    """Result of unstructured pruning.

    Attributes:
        checkpoint: path of the pruned checkpoint.
        zero_share: share of zeros among the weights of convolutions and linear layers, without the heads.
        size_mb: size of the ONNX file before and after pruning, in 10^6 bytes.
        gzip_mb: the same sizes after gzip compression.
        latency_share: latency relative to the unpruned network, in fp32 and interleaved runs.
        how: description of the latency measurement.
    """

    checkpoint: str
    zero_share: float
    size_mb: tuple[float, float]
    gzip_mb: tuple[float, float]
    latency_share: float
    how: str


def zero_weights(
    checkpoint: Path, share: float, output: Path | None = None, threads: int = 1, overwrite: bool = False
) -> Zeroed:
    """Set the smallest weights of all layers to zero (arXiv 1506.02626) and measure file size and latency.

    Args:
        checkpoint: checkpoint of PocketDepth.
        share: share of the weights to set to zero, in (0, 1).
        output: pruned checkpoint to write. Default: ``NAME-pruned.ckpt``.
        threads: number of threads of each timed session.
        overwrite: replace an existing ``output``.

    Raises:
        FileNotFoundError: the checkpoint is missing.
        FileExistsError: ``output`` exists.
        ValueError: not a checkpoint of PocketDepth, or ``share`` is not in (0, 1).
        RuntimeError: the written checkpoint does not reproduce the pruned network. No file is written.
    """
    output = output or checkpoint.with_name(f"{checkpoint.stem}-pruned.ckpt")
    refuse_existing(output, overwrite=overwrite)
    if not 0 < share < 1:
        raise ValueError(f"{share} is not a share between 0 and 1")
    opened = Checkpoint.open(checkpoint)
    network, size = opened.network, opened.size
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("before.onnx", "after.onnx")]
        onnx.save(to_onnx(network, size), files[0])
        layers = _layers(network)
        prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=share)
        for layer in layers:
            prune.remove(layer, "weight")  # type: ignore[no-untyped-call]
        onnx.save(to_onnx(network, size), files[1])
        before, after = measure(files, threads, RUNS)
        packed = [len(gzip.compress(file.read_bytes())) / 1e6 for file in files]
        write_checkpoint(with_weights(opened, network), network, files[1], output)
    count = sum(layer.weight.numel() for layer in layers)
    zeros = sum(int((layer.weight == 0).sum()) for layer in layers)
    result = Zeroed(
        str(output),
        zeros / count,
        (before.size_mb, after.size_mb),
        (packed[0], packed[1]),
        after.p50_ms / before.p50_ms,
        conditions(threads, RUNS),
    )
    _print(result, count)
    return result


def _layers(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d | nn.Linear]:
    """All convolutions and linear layers except the heads."""
    heads = head_layers(network)
    return [
        layer
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and name not in heads
    ]


def _print(result: Zeroed, count: int) -> None:
    print(f"{result.checkpoint}: {result.zero_share:.1%} of {count / 1e6:.2f} M weights are zero")
    print(
        f"  ONNX file        {result.size_mb[0]:.2f} -> {result.size_mb[1]:.2f} MB: zeros are stored like other values"
    )
    print(f"  after gzip       {result.gzip_mb[0]:.2f} -> {result.gzip_mb[1]:.2f} MB: a smaller download")
    print(f"  latency, fp32    {result.latency_share:.2f}x: ONNX Runtime does not skip zeros ({result.how})")
    print("  to reduce latency, prune channels: --macs or --latency; fine-tuning does not preserve the zeros")
