"""Evaluation of checkpoints and exported files on data sets."""

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
from lightning_app.evaluation.metrics import require_maps
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
    """Evaluate a checkpoint or an ONNX file and print a table of metrics.

    Args:
        model: checkpoint or ONNX file. Images are resized to its input size.
        data: YAMLs with a ``data`` section; later files override earlier ones.
        split: ``val`` or ``test``.
        protocols: names of evaluation protocols. Default: the protocols of the data section.
        output: JSON file for the results. Default: no file is written.
        overwrite: replace an existing ``output``.

    Returns:
        Metrics and frame counts by protocol.

    Raises:
        FileNotFoundError: the model, a YAML or the data is missing.
        FileExistsError: ``output`` exists.
        ValueError: unknown protocol or split, or invalid data section.
        RuntimeError: no frame could be scored.
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
    print_results(results, f"{model}, size {network.size[0]}x{network.size[1]}, on {split}: {described}", output)
    require_scored(results)
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
    return results


def evaluate_per_dataset(
    model: Path,
    data: list[Path],
    split: str = "test",
    protocols: list[str] | None = None,
    output: Path | None = None,
    overwrite: bool = False,
) -> list[Row]:
    """Evaluate a checkpoint or an ONNX file on each reader of a split separately and print one table.

    Each data set is scored under every protocol that its ground truth supports.

    Args:
        model: checkpoint or ONNX file. Images are resized to its input size.
        data: YAMLs with a ``data`` section; later files override earlier ones. Each reader of the split is a data set.
        split: ``val`` or ``test``.
        protocols: names of the protocols to consider. Default: all protocols.
        output: JSON file for the results. Default: no file is written.
        overwrite: replace an existing ``output``.

    Returns:
        One row per data set and protocol. A missing data set has one row without metrics.

    Raises:
        FileNotFoundError: the model or a YAML is missing, or no data set can be scored.
        FileExistsError: ``output`` exists.
        ValueError: unknown protocol or split, or invalid data section.
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
        raise FileNotFoundError(f"{', '.join(map(str, data))}: no {split} data set can be scored; {rows[0].note}")
    print_per_dataset(rows, f"{model}, size {network.size[0]}x{network.size[1]}, on {split}")
    if output is not None:
        write_per_dataset(output, rows, model=str(model), data=[str(path) for path in data], split=split)
    return rows


def _predict(network: Network, batch: dict[str, Any]) -> Tensor:
    """Depth of a batch of one image, (1, 1, h, w). Exported files have a batch size of 1."""
    prediction = torch.from_numpy(network(batch["image"].contiguous().numpy()))
    require_maps(prediction, batch["image"], str(network.path))
    metres: Tensor = from_canonical(prediction, batch, network.canonical_focal_px)
    return metres
