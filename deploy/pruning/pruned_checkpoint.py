"""Checkpoints of pruned networks and the YAML for fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from torch import nn

from deploy.export.export import TOLERANCE, disagreement
from deploy.inference.onnx_network import OnnxNetwork
from lightning_app.checkpoints import Checkpoint
from lightning_app.files import atomic_write
from lightning_app.training.fit_process import try_fit

_RESUMING = ("optimizer_states", "lr_schedulers", "loops", "callbacks")  # state of a run with other weights


def with_weights(checkpoint: Checkpoint, network: nn.Module) -> dict[str, Any]:
    """Replace the weights in the content of a checkpoint and remove the state of the run.

    Args:
        checkpoint: original checkpoint.
        network: network with the new weights.
    """
    content = checkpoint.content
    others = {key: value for key, value in content["state_dict"].items() if not key.startswith("network.")}
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    kept = {key: value for key, value in content.items() if key not in _RESUMING}
    return kept | {"state_dict": others | weights}


def with_network(checkpoint: Checkpoint, network: nn.Module, channels: dict[str, list[int]]) -> dict[str, Any]:
    """Replace the network in the content of a checkpoint: its weights and the settings that build it.

    Args:
        checkpoint: original checkpoint.
        network: pruned network.
        channels: changed layers from :func:`deploy.pruning.structured.changed_channels`.
    """
    settings = checkpoint.hyper_parameters
    description = settings["network"]
    known: dict[str, list[int]] = {}
    if description["class_path"] == "models.with_pruned_channels":
        description, known = (description["init_args"][key] for key in ("network", "channels"))
    narrow = {
        "class_path": "models.with_pruned_channels",
        "init_args": {"network": description, "channels": known | channels},
    }
    changed: dict[str, Any] = {"hyper_parameters": settings | {"network": narrow}}
    model = checkpoint.config.get("model")
    if model:  # a checkpoint of a script has no YAML
        run = checkpoint.config | {"model": model | {"init_args": (model.get("init_args") or {}) | {"network": narrow}}}
        changed["config"] = yaml.safe_dump(run, sort_keys=False)
    return with_weights(checkpoint, network) | changed


def write_checkpoint(content: dict[str, Any], network: nn.Module, exported: Path, output: Path) -> None:
    """Write a checkpoint and verify it before it replaces ``output``.

    Args:
        content: content of the checkpoint.
        network: network that the checkpoint must reproduce exactly.
        exported: ONNX file of the network, which must agree with the checkpoint.
        output: checkpoint to write.

    Raises:
        RuntimeError: the verification fails. No file is written.
    """
    with atomic_write(output) as temporary:
        torch.save(content, temporary)
        written = Checkpoint.open(temporary)
        opened = written.network
        image = torch.rand(1, 3, *written.size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            depth, expected = opened(image), network(image)
        if not (torch.isfinite(depth).all() and torch.equal(depth, expected)):
            raise RuntimeError(f"{output}: the checkpoint does not reproduce the pruned network")
        error = disagreement(opened, OnnxNetwork(exported))
        if not error <= TOLERANCE["fp32"]:
            raise RuntimeError(
                f"{output}: ONNX and torch differ by {error:.1e} of the depth, {TOLERANCE['fp32']:.0e} is allowed"
            )


def write_yaml(content: dict[str, Any], checkpoint: Path, path: Path) -> None:
    """Write the YAML for fine-tuning a checkpoint, to be passed after the YAMLs of the experiment.

    It has the network and its canonical camera. It does not change the learning rate. For ``small``, a third of it gave
    a higher error after the same number of steps.

    Args:
        content: content of the checkpoint.
        checkpoint: path of the checkpoint, which the YAML names as ``weights``.
        path: YAML to write.
    """
    settings = content["hyper_parameters"]
    arguments = {"network": settings["network"], "weights": str(checkpoint.resolve())}
    if settings.get("canonical_focal_px") is not None:
        arguments["canonical_focal_px"] = settings["canonical_focal_px"]
    text = yaml.safe_dump({"model": {"init_args": arguments}}, sort_keys=False, default_flow_style=None, width=120)
    head = f"# Network of {checkpoint.name}. Fine-tune it with `pocketdepth fit`; pass this file as the last -c.\n"
    with atomic_write(path) as temporary:
        temporary.write_text(head + text)


def fine_tuning(start: Path, data: Sequence[Path], arguments: Sequence[str], config: Path) -> list[str]:
    """Arguments of ``fit`` that fine-tune a checkpoint, whose own configuration is of unknown origin and not used.

    Args:
        start: checkpoint.
        data: YAMLs of the experiment.
        arguments: arguments of ``fit`` that override the YAMLs.
        config: YAML to write, with the network.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: not a checkpoint of PocketDepth.
    """
    write_yaml(Checkpoint.open(start).content, start, config)
    yamls = [word for path in data for word in ("-c", str(path))]
    return [*yamls, *arguments, "-c", str(config), "--model.weights", str(start)]


def try_fine_tuning(start: Path, data: Sequence[Path], arguments: Sequence[str]) -> None:
    """Train one batch as :func:`fine_tuning` says, in a temporary folder, before anything is pruned.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: an invalid argument or YAML, or missing data.
        RuntimeError: the run failed.
    """
    with TemporaryDirectory() as folder:
        try_fit(fine_tuning(start, data, arguments, Path(folder) / "network.yaml"))
