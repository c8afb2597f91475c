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
from lightning_app.canonical_camera import from_canonical
from lightning_app.config import read_data_module
from lightning_app.evaluation.evaluate import (
    Results,
    describe,
    frame_scores,
    mean_scores,
    print_invalid,
    readers_of,
    require_scored,
    split_readers,
    warn_of_leaks,
)
from lightning_app.evaluation.per_dataset import score_per_dataset
from lightning_app.evaluation.protocols import PROTOCOLS, fitting, protocol
from lightning_app.evaluation.tables import (
    Row,
    print_per_dataset,
    print_results,
    write_per_dataset,
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
    readers = split_readers(module, split)
    if isinstance(network, TorchNetwork):
        warn_of_leaks(network.checkpoint, readers)
    names = protocols or module.protocols
    fitted = fitting(names, readers, network.predicts)
    predict, title = partial(_predict, network), f"evaluate {model.name}"
    scores = frame_scores(module, readers, fitted, predict, network.predicts, size=network.size, title=title)
    results = mean_scores(print_invalid(scores), fitted)
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


def evaluate_per_dataset(
    model: Path,
    data: list[Path],
    split: str = "test",
    protocols: list[str] | None = None,
    output: Path | None = None,
    overwrite: bool = False,
) -> list[Row]:
    """Score a checkpoint or an ONNX file on each reader of a split separately, under every protocol that its ground
    truth allows, and print one table.

    Args:
        model: checkpoint or ONNX file; frames are brought to its own input size.
        data: YAMLs with a ``data`` section, the later wins; each reader of the split is a data set.
        split: ``val`` or ``test``.
        protocols: names of those to consider; all if left out.
        output: JSON file.
        overwrite: replace an ``output`` that exists.

    Returns:
        A row for each data set and protocol; one without metrics for a data set that is not there.

    Raises:
        FileNotFoundError: no such model or YAML, or not one of the data sets.
        FileExistsError: ``output`` exists.
        ValueError: an unknown protocol or split, or a YAML whose data section does not fit.
    """
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    known = [protocol(name) for name in dict.fromkeys(protocols or PROTOCOLS)]
    module = read_data_module(data)
    readers = readers_of(module, split)
    network = load_network(model)
    if not readers:
        raise ValueError(f"{', '.join(map(str, data))}: the data section names no reader under {split}")
    if isinstance(network, TorchNetwork):
        warn_of_leaks(network.checkpoint, readers)
    rows = score_per_dataset(module, readers, known, partial(_predict, network), network.predicts, network.size)
    if not any(row.metrics for row in rows):
        raise FileNotFoundError(f"{', '.join(map(str, data))}: not one {split} data set can be scored; {rows[0].note}")
    print_per_dataset(rows, f"{model}, size {network.size[0]}x{network.size[1]}, on {split}")
    if output is not None:
        write_per_dataset(output, rows, model=str(model), data=[str(path) for path in data], split=split)
    return rows


def _predict(network: Network, batch: dict[str, Any]) -> Tensor:
    """Depth of a batch of one image, as exported files take it: (1, 1, h, w)."""
    prediction = torch.from_numpy(network(batch["image"].contiguous().numpy()))
    metres: Tensor = from_canonical(prediction, batch, network.canonical_focal_px)
    return metres
