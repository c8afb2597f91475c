"""Any network on any data set under any protocol."""

from __future__ import annotations

from argparse import ArgumentError
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule
from rich.progress import track
from torch import Tensor

from deploy.load import load_network
from lightning_app.files import refuse_existing
from lightning_app.metrics import DepthMetrics
from lightning_app.protocols import protocol
from lightning_app.report import print_results, write_results


def evaluate(
    model: Path,
    data: list[Path],
    split: str = "test",
    protocols: list[str] | None = None,
    output: Path | None = None,
    overwrite: bool = False,
) -> dict[str, dict[str, float]]:
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
    """
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    module = read_data_module(data)
    metrics = [DepthMetrics(protocol(name)) for name in protocols or [module.protocol]]
    network = load_network(model)
    module.size = network.size
    loader = module.val_dataloader() if split == "val" else module.test_dataloader()
    for batch in track(loader, f"evaluate {model.name}"):
        moved = module.on_after_batch_transfer(batch, 0)
        depth = _predict(network, moved["image"])
        for metric in metrics:
            metric.update(depth, moved)
    results = {metric.protocol.name: {k: float(v) for k, v in metric.compute().items()} for metric in metrics}
    print_results(results, f"{model} on {split} of {', '.join(map(str, data))}")
    if output is not None:
        write_results(output, results, model=str(model), data=[str(path) for path in data], split=split)
    return results


def read_data_module(paths: list[Path]) -> Any:
    """Build the data module of one or several YAMLs; their other sections are left alone.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no data section, or one that does not fit.
    """
    section: dict[str, Any] = {}
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such YAML")
        content = yaml.safe_load(path.read_text())
        section = _merge(section, content.get("data", {}) if isinstance(content, dict) else {})
    if not section:
        raise ValueError(f"{', '.join(map(str, paths))}: no data section")
    if "class_path" not in section:
        raise ValueError(f"{paths[0]}: its data section names no class_path; give experiments/base.yaml before it")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data", required=True)
    try:
        return parser.instantiate_classes(parser.parse_object({"data": section})).data
    except ArgumentError as error:
        raise ValueError(f"{', '.join(map(str, paths))}: {error}") from error


def _merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The second over the first, key by key, as the command line does it with several ``-c``."""
    both = {key: _merge(first[key], value) for key, value in second.items() if _nested(first.get(key), value)}
    return first | second | both


def _nested(first: Any, second: Any) -> bool:
    return isinstance(first, dict) and isinstance(second, dict)


def _predict(network: Any, images: Tensor) -> Tensor:
    """One image at a time, as a phone does it: exported files have a batch of one."""
    return torch.cat([torch.from_numpy(network(image[None].contiguous().numpy())) for image in images])
