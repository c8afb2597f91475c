"""Any network on any data set under any protocol."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deploy.inference.load import load_network
from deploy.inference.network import Network
from deploy.inference.torch_network import TorchNetwork
from lightning_app.canonical_camera import canonical_scale
from lightning_app.config import read_data_module
from lightning_app.evaluation.evaluate import (
    Results,
    describe,
    measure,
    require_scored,
    split_readers,
    warn_of_leaks,
)
from lightning_app.evaluation.protocols import PROTOCOLS
from lightning_app.evaluation.tables import (
    Row,
    print_cross_data,
    print_results,
    write_cross_data,
    write_results,
)
from lightning_app.files import refuse_existing


def evaluate(
    model: Path,
    data: list[Path],
    split: str = "test",
    protocols: list[str] | None = None,
    output: Path | None = None,
    overwrite: bool = False,
) -> Results:
    """Score a checkpoint or an ONNX file, and print the table.

    Args:
        model: checkpoint or ONNX file; frames are brought to its own input size.
        data: YAMLs with a ``data`` section, the later wins.
        split: ``val`` or ``test``.
        protocols: names; the data section's if left out.
        output: JSON file.
        overwrite: replace an ``output`` that exists.

    Returns:
        The metrics and the counts of frames by protocol.

    Raises:
        FileNotFoundError: no such model, YAML or data.
        FileExistsError: ``output`` exists.
        ValueError: an unknown protocol or split, or a YAML whose data section does not fit.
        RuntimeError: not one frame could be scored.
    """
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    module = read_data_module(data)
    network = load_network(model)
    module.size = network.size
    readers = split_readers(module, split)
    if isinstance(network, TorchNetwork):
        warn_of_leaks(network.checkpoint, readers)
    names = protocols or module.protocols
    results = measure(module, readers, names, partial(_predict, network), network.predicts, f"evaluate {model.name}")
    described = describe(readers, names)
    print_results(results, f"{model}, size {network.size[0]}x{network.size[1]}, on {split}: {described}")
    if output is not None:
        write_results(
            output,
            results,
            model=str(model),
            data=[str(path) for path in data],
            size=network.size,
            split=split,
            frames=described,
        )
    require_scored(results)
    return results


def cross_data(model: Path, data: list[Path], output: Path | None = None, overwrite: bool = False) -> list[Row]:
    """Score a checkpoint or an ONNX file on every test data set that is there, each under all protocols that are
    defined on its truth, and print the table of them all.

    Args:
        model: checkpoint or ONNX file; frames are brought to its own input size.
        data: YAMLs with a ``data`` section, the later wins; each reader of ``test`` is a data set.
        output: JSON file.
        overwrite: replace an ``output`` that exists.

    Returns:
        A row for each data set and protocol; one without metrics for a data set that is not there.

    Raises:
        FileNotFoundError: no such model or YAML, or not one of the data sets.
        FileExistsError: ``output`` exists.
        ValueError: a YAML whose data section does not fit.
    """
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    module = read_data_module(data)
    network = load_network(model)
    module.size = network.size
    if isinstance(network, TorchNetwork):
        warn_of_leaks(network.checkpoint, module.test)
    rows: list[Row] = []
    for reader in module.test:
        try:
            names = [
                name
                for name, protocol in PROTOCOLS.items()
                if reader.truth in protocol.truths and (protocol.align != "none" or network.predicts == "depth")
            ]
            if not names:
                rows.append(Row(str(reader), "not scored", {}, f"{reader}: no protocol for {reader.truth} truth"))
                continue
            if module.on_corrupt == "raise":
                reader.require_files()
            results = measure(module, [reader], names, partial(_predict, network), network.predicts, str(reader))
        except FileNotFoundError as error:
            rows.append(Row(str(reader), "not there", {}, str(error)))
        else:
            rows += [Row(str(reader), name, metrics) for name, metrics in results.items()]
    if not rows:
        raise ValueError(f"{', '.join(map(str, data))}: the data section names no reader under test")
    if not any(row.metrics for row in rows):
        raise FileNotFoundError(f"{', '.join(map(str, data))}: not one test data set can be scored; {rows[0].note}")
    print_cross_data(rows, f"{model}, size {network.size[0]}x{network.size[1]}")
    if output is not None:
        write_cross_data(output, rows, model=str(model), data=[str(path) for path in data])
    return rows


def _predict(network: Network, batch: dict[str, Any]) -> Tensor:
    """One image at a time, as a phone does it: exported files have a batch of one."""
    images = batch["image"]
    depth = torch.cat([torch.from_numpy(network(image[None].contiguous().numpy())) for image in images])
    if network.canonical_focal_px is None:
        return depth
    fx, fy = batch["intrinsics"][:, 0, 0], batch["intrinsics"][:, 1, 1]
    scale: Tensor = canonical_scale(fx, fy, network.canonical_focal_px)
    return depth / scale.view(-1, 1, 1, 1)
