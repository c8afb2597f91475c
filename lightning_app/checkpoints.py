"""Checkpoint files of a training run."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from lightning_app.config import build, parse_yaml
from lightning_app.moved import with_new_names
from models.contract import DepthNetwork, require_depth_network

DEPTH_MODULE = "lightning_app.training.DepthModule"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a run saved, read once.

    Attributes:
        path: of the file.
        content: ``state_dict``, ``hyper_parameters``, ``config`` (the text of its YAML), ``pocketdepth`` and more; in
            an older file with the new names of what was renamed since.
        sha256: of the file.
    """

    path: Path
    content: dict[str, Any]
    sha256: str

    @classmethod
    def open(cls, path: Path, module: str | None = DEPTH_MODULE) -> Self:
        """Read a checkpoint, without its data or its pretrained weights.

        Args:
            path: the checkpoint.
            module: the class path of the LightningModule that it must be of; None for any.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a checkpoint of PocketDepth, a corrupt one, or one of another module.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such checkpoint")
        data = path.read_bytes()
        try:
            content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            known = "pocketdepth" in content and "hyper_parameters" in content
        except Exception as error:  # torch names no exceptions for what is not its file
            raise ValueError(
                f"{path}: not a checkpoint of PocketDepth, or a corrupt one ({type(error).__name__})"
            ) from error
        if not known:
            raise ValueError(f"{path}: not a checkpoint of PocketDepth")
        # In these alone: tensors are named after the parts of the network, which have not moved.
        content |= {key: with_new_names(content[key]) for key in content.keys() & {"hyper_parameters", "config"}}
        theirs = content["hyper_parameters"].get("_class_path", module)
        if module not in (None, theirs):
            raise ValueError(f"{path}: a checkpoint of {theirs}, not of {module}")
        return cls(path, content, hashlib.sha256(data).hexdigest())

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        """The arguments of the LightningModule, modules as ``class_path`` and ``init_args``."""
        found: dict[str, Any] = self.content["hyper_parameters"]
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """The YAML that it was trained with; empty if it carries none."""
        return parse_yaml(self.content.get("config") or "{}", str(self.path)) or {}

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) that it was trained at."""
        height, width = self.content["pocketdepth"]["size"]
        return int(height), int(width)

    @property
    def canonical_focal_px(self) -> float | None:
        """Of the canonical camera that its depth is for; None where there is none."""
        return self.hyper_parameters.get("canonical_focal_px")

    @property
    def scores(self) -> dict[str, float]:
        """What it was chosen by, by the monitored name: of the last validation before it was saved."""
        states = self.content.get("callbacks", {}).values()
        return {
            state["monitor"]: float(state["current_score"])
            for state in states
            if state.get("monitor") and state.get("current_score") is not None
        }

    @cached_property
    def network(self) -> DepthNetwork:
        """The depth network, as :meth:`build_network` returns it."""
        return require_depth_network(self.build_network())

    def build_network(self) -> nn.Module:
        """Build the network of the LightningModule with its weights, in evaluation mode and without gradients.

        Raises:
            ValueError: it cannot be built, or the weights do not fit it.
        """
        network = build(nn.Module, [self.hyper_parameters["network"]], str(self.path))
        prefix = "network."
        state = self.content["state_dict"]
        weights = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"{self.path}: its weights do not fit the network that it describes") from error
        return network.eval().requires_grad_(False)


def load_weights(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a checkpoint's weights into a module; raises ValueError where it is of another network."""
    state = checkpoint.content["state_dict"]
    theirs = {key: value.shape for key, value in state.items()}
    ours = {key: value.shape for key, value in module.state_dict().items()}
    misfits = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if misfits:
        counts = f"{len(misfits)} of {len(ours)} tensors differ, e.g. {misfits[0]}"
        raise ValueError(f"{checkpoint.path}: a checkpoint of another network: {counts}")
    module.load_state_dict(state)


def refuse_other_network(checkpoint: Checkpoint, network: dict[str, Any] | None) -> None:
    """Refuse to go on from a checkpoint whose network is not the configured one: LightningCLI would take the
    checkpoint's silently.

    Args:
        checkpoint: to go on from.
        network: the configuration, with ``class_path`` and ``init_args``.

    Raises:
        ValueError: a checkpoint of another network.
    """
    theirs, ours = _flat(checkpoint.hyper_parameters.get("network") or {}), _flat(network or {})
    different = [key for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)]
    if different:
        key = different[0]
        raise ValueError(
            f"{checkpoint.path}: a checkpoint of another network: its {key} is {theirs.get(key)}, here it is "
            f"{ours.get(key)}; to start from other weights give --model.weights"
        )


def refuse_weights_alone(checkpoint: Checkpoint) -> None:
    """Raise ValueError where a checkpoint holds no run to resume, as pruning writes it: Lightning would fail with a
    KeyError.
    """
    if "optimizer_states" not in checkpoint.content:
        raise ValueError(
            f"{checkpoint.path}: holds weights and no run to resume; to start from them give --model.weights"
        )


def _flat(description: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key, without how they are nested in init_args and without where weights came from."""
    flat: dict[str, Any] = {}
    for key, value in description.items():
        name = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return {key: value for key, value in flat.items() if key != "weights"}
