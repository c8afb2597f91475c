"""``pocketdepth benchmark --encoder``: cost of timm backbones as encoders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.benchmark.network_cost import Cost, costs, reset_zero_init_batchnorm
from deploy.measure.timing import conditions
from lightning_app.files import atomic_write, refuse_existing
from models import DepthNet, SubpixelDecoder

MIN_SPEEDUP = 1.1  # minimum speedup of int8 that is above the noise


def encoders(
    names: Sequence[str],
    size: tuple[int, int] = (192, 640),
    threads: int = 1,
    runs: int = 50,
    output: Path = Path("runs/benchmark"),
    overwrite: bool = False,
) -> None:
    """Measure the cost of timm backbones with base's decoder, and write ``encoders.json``.

    The networks have random weights and predict at half the input size. Nothing is trained or downloaded.

    Args:
        names: names of timm models.
        size: input (height, width).
        threads: number of threads per session.
        runs: number of timed runs per file, interleaved.
        output: output folder.
        overwrite: replace an existing output.

    Raises:
        FileExistsError: the output exists.
        ValueError: an unknown backbone, a backbone without a pyramid of feature maps, or a size that is not a multiple
            of its stride.
    """
    file = output / "encoders.json"
    refuse_existing(file, overwrite=overwrite)
    networks = {name: reset_zero_init_batchnorm(DepthNet(name, decoder=SubpixelDecoder)) for name in names}
    measured = costs(networks, size, None, threads, runs)
    caption = f"at {size[0]}x{size[1]}, {conditions(threads, runs)}"
    Console().print(_table(measured, caption))
    with atomic_write(file) as temporary:
        content = {"how": caption, "costs": {name: asdict(cost) for name, cost in measured.items()}}
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    print(f"table: {file}")


def _table(measured: dict[str, Cost], caption: str) -> Table:
    caption = f"{caption}. In brackets: int8 speedup below {MIN_SPEEDUP}x, not above the noise."
    table = Table(caption=caption, caption_justify="left", box=SIMPLE_HEAD)
    table.add_column("\nencoder", no_wrap=True)
    for name in ("M\nparams", "\nGMAC", "fp32\nms", "int8\nms", "int8\nMB", "int8\nspeedup"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, cost in sorted(measured.items(), key=lambda item: min(item[1].fp32_ms, item[1].int8_ms)):
        gain = cost.fp32_ms / cost.int8_ms
        table.add_row(
            name,
            f"{cost.parameters / 1e6:.2f}",
            f"{cost.gmac:.2f}",
            f"{cost.fp32_ms:.1f}",
            f"{cost.int8_ms:.1f}",
            f"{cost.int8_mb:.2f}",
            f"{gain:.2f}x" if gain >= MIN_SPEEDUP else f"({gain:.2f}x)",
        )
    return table
