"""``pocketdepth prune``: structured pruning of a checkpoint to a target cost."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import nn

from deploy.export.to_onnx import to_onnx
from deploy.inference.optional_packages import require
from deploy.measure.macs import count_macs
from deploy.measure.timing import Row, conditions, measure
from deploy.pruning.pruned_checkpoint import with_network, write_checkpoint, write_yaml
from deploy.pruning.structured import changed_channels, narrow_to
from lightning_app.checkpoints import Checkpoint
from lightning_app.files import refuse_existing
from models.pruned import network_channels

RUNS = 100  # number of timed runs per file
NOISY = 1.5  # ratio of the 90th percentile to the median above which timings are unreliable


@dataclass(frozen=True)
class Pruning:
    """Result of structured pruning. Shares are relative to the unpruned network.

    Attributes:
        checkpoint: path of the pruned checkpoint.
        yaml: path of the YAML for fine-tuning, to be passed last.
        gmac: 10^9 multiply-accumulates of one image.
        macs_share: share of multiply-accumulates.
        parameters: number of parameters.
        parameters_share: share of parameters.
        latency_ms: median latency of the fp32 ONNX file.
        latency_share: share of latency, measured in interleaved runs.
        how: description of the latency measurement.
        channels: input channels, output channels and groups of each layer that differs from the unpruned network.
    """

    checkpoint: str
    yaml: str
    gmac: float
    macs_share: float
    parameters: int
    parameters_share: float
    latency_ms: float
    latency_share: float
    how: str
    channels: dict[str, list[int]]


def prune(
    checkpoint: Path,
    output: Path | None = None,
    macs: float | None = None,
    latency: float | None = None,
    across_layers: bool = False,
    threads: int = 1,
    overwrite: bool = False,
    unpruned: Path | None = None,
) -> Pruning:
    """Remove the channels with the smallest weights until a target cost is reached.

    Writes the pruned checkpoint and a YAML for fine-tuning. Dependent channels of several layers are removed together
    (DepGraph, arXiv 2301.12900). Channels are ranked by the L2 norm of their weights, and their number stays a multiple
    of 8. The outputs of the heads are not pruned.

    Args:
        checkpoint: checkpoint of PocketDepth. It can be pruned already.
        output: pruned checkpoint to write. Default: ``NAME-pruned.ckpt``. The YAML has the same name with ``.yaml``.
        macs: target share of multiply-accumulates, in (0, 1). Give either ``macs`` or ``latency``.
        latency: target share of latency, in (0, 1), of fp32 ONNX files on this CPU in interleaved runs.
        across_layers: rank the channels of all layers together instead of removing the same share from each layer.
        threads: number of threads of each session.
        overwrite: replace existing outputs.
        unpruned: checkpoint that the shares are relative to. Default: ``checkpoint``.

    Raises:
        FileNotFoundError: a checkpoint is missing.
        FileExistsError: an output exists.
        ImportError: torch-pruning is not installed.
        ValueError: not a checkpoint of PocketDepth, no single target, an unreachable target, or a network that cannot
            be pruned.
        RuntimeError: the written checkpoint does not reproduce the pruned network. No file is written.
    """
    output = output or checkpoint.with_name(f"{checkpoint.stem}-pruned.ckpt")
    settings = output.with_suffix(".yaml")
    refuse_existing(output, settings, overwrite=overwrite)
    target = require_target(macs, latency)
    opened = Checkpoint.open(checkpoint)
    network, size = opened.network, opened.size
    reference = network if unpruned is None else Checkpoint.open(unpruned).network
    with tempfile.TemporaryDirectory() as folder:
        whole = _save(reference, size, Path(folder) / "unpruned.onnx")
        timed = partial(_measure, whole, size, threads)
        counted = count_macs(onnx.load(whole))
        print(f"{checkpoint}: {'latency' if macs is None else 'multiply-accumulates'} to {target:g}x")
        pruned = narrow_to(
            network,
            size,
            target,
            (lambda each: _ratio(*timed(each)))
            if macs is None
            else (lambda each: count_macs(to_onnx(each, size)) / counted),
            across_layers,
        )
        before, after = timed(pruned)
        assert before.gmac is not None
        assert after.gmac is not None
        content = with_network(opened, pruned, changed_channels(network, pruned))
        write_checkpoint(content, pruned, Path(folder) / "pruned.onnx", output)
    result = Pruning(
        str(output),
        str(settings),
        after.gmac,
        after.gmac / before.gmac,
        _parameters(pruned),
        _parameters(pruned) / _parameters(reference),
        after.p50_ms,
        _ratio(before, after),
        conditions(threads, RUNS),
        content["hyper_parameters"]["network"]["init_args"]["channels"],
    )
    write_yaml(content, output, settings)
    _print(result, reference, pruned, before)
    return result


def require_target(macs: float | None, latency: float | None) -> float:
    """Check the arguments and the installation before long computations, and return the target share.

    Raises:
        ValueError: not exactly one target, or a target that is not in (0, 1).
        ImportError: torch-pruning is not installed.
    """
    given = [share for share in (macs, latency) if share is not None]
    if len(given) != 1:
        raise ValueError("give one target: --macs or --latency")
    if not 0 < given[0] < 1:
        raise ValueError(f"{given[0]} is not a share between 0 and 1")
    require("torch_pruning", "prune")
    return given[0]


def _save(network: nn.Module, size: tuple[int, int], path: Path) -> Path:
    onnx.save(to_onnx(network, size), path)
    return path


def _measure(reference: Path, size: tuple[int, int], threads: int, network: nn.Module) -> list[Row]:
    """Measure the unpruned network and another network in interleaved runs."""
    rows = measure([reference, _save(network, size, reference.with_name("pruned.onnx"))], threads, RUNS)
    _warn_of_noise(rows)
    return rows


def _warn_of_noise(rows: list[Row]) -> None:
    noisy = max(row.p90_ms / row.p50_ms for row in rows)
    if noisy > NOISY:
        busy = f"the 90th percentile of the latency is {noisy:.1f} times the median"
        print(f"warning: {busy}; the timings are unreliable, stop other programs", file=sys.stderr)


def _ratio(before: Row, after: Row) -> float:
    return after.p50_ms / before.p50_ms


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _print(result: Pruning, reference: nn.Module, pruned: nn.Module, before: Row) -> None:
    table = Table(caption=result.how, caption_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for name in ("before", "after", "share"):
        table.add_column(name, justify="right")
    counts = _parameters(reference), result.parameters
    rows = [
        ("GMAC", f"{before.gmac:.3f}", f"{result.gmac:.3f}", result.macs_share),
        ("M parameters", f"{counts[0] / 1e6:.3f}", f"{counts[1] / 1e6:.3f}", result.parameters_share),
        ("latency, ms, fp32", f"{before.p50_ms:.2f}", f"{result.latency_ms:.2f}", result.latency_share),
    ]
    old, new = _widths(reference), _widths(pruned)
    rows += [(f"channels, {part}", str(old[part]), str(new[part]), new[part] / old[part]) for part in old]
    for name, was, now, share in rows:
        table.add_row(name, was, now, f"{share:.2f}x")
    Console().print(table)
    print(f"{result.checkpoint}: fine-tune it with")
    print(f"  pocketdepth fit -c base.yaml -c EXPERIMENT.yaml -c {result.yaml}")


def _widths(network: nn.Module) -> dict[str, int]:
    """Sum the output channels of the convolutions by part of the network. A part is a name up to its first number."""
    widths: dict[str, int] = {}
    for name, (_, outputs, groups) in network_channels(network).items():
        words = name.split(".")
        place = next((index for index, word in enumerate(words) if word.isdigit()), len(words) - 1)
        part = ".".join(words[: place + 1])
        if groups == 1 and isinstance(network.get_submodule(name), nn.Conv2d | nn.ConvTranspose2d):
            widths[part] = widths.get(part, 0) + outputs
    return widths
