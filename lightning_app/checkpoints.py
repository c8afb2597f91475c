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
    """A checkpoint file, loaded into memory.

    Attributes:
        path: path of the file.
        content: the dictionary in the file, with ``state_dict``, ``hyper_parameters``, ``config`` (YAML as text) and
            ``pocketdepth``. Names of older versions are replaced by the current ones.
        sha256: SHA-256 of the file.
    """

    path: Path
    content: dict[str, Any]
    sha256: str

    @classmethod
    def open(cls, path: Path, module: str | None = DEPTH_MODULE) -> Self:
        """Read a checkpoint. Neither its data nor pretrained weights are required.

        Args:
            path: checkpoint file.
            module: class path of the expected LightningModule; None accepts any.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a checkpoint of PocketDepth, corrupt, or of another module.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such checkpoint")
        data = path.read_bytes()
        try:
            content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            known = "pocketdepth" in content and "hyper_parameters" in content
        except Exception as error:  # torch.load documents no exceptions for invalid files
            raise ValueError(
                f"{path}: not a checkpoint of PocketDepth, or a corrupt one ({type(error).__name__})"
            ) from error
        if not known:
            raise ValueError(f"{path}: not a checkpoint of PocketDepth")
        # Only in these two: the parameter names in state_dict have not changed.
        content |= {key: with_new_names(content[key]) for key in content.keys() & {"hyper_parameters", "config"}}
        theirs = content["hyper_parameters"].get("_class_path", module)
        if module not in (None, theirs):
            raise ValueError(f"{path}: a checkpoint of {theirs}, not of {module}")
        return cls(path, content, hashlib.sha256(data).hexdigest())

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        """Arguments of the LightningModule; objects are given as ``class_path`` and ``init_args``."""
        found: dict[str, Any] = self.content["hyper_parameters"]
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """Configuration of the training run; empty if the checkpoint has none."""
        return parse_yaml(self.content.get("config") or "{}", str(self.path)) or {}

    @property
    def size(self) -> tuple[int, int]:
        """Training size, (height, width)."""
        height, width = self.content["pocketdepth"]["size"]
        return int(height), int(width)

    @property
    def canonical_focal_px(self) -> float | None:
        """Focal length of the canonical camera, in pixels; None without a canonical camera."""
        return self.hyper_parameters.get("canonical_focal_px")

    @property
    def scores(self) -> dict[str, float]:
        """Monitored metrics of the last validation before the checkpoint was saved, by name."""
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
        """Build the network of any module with its trained weights, in evaluation mode and with gradients disabled.

        Raises:
            ValueError: the network cannot be built, or the weights do not match it.
        """
        network = build(nn.Module, [self.hyper_parameters["network"]], str(self.path))
        prefix = "network."
        state = self.content["state_dict"]
        weights = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"{self.path}: its weights do not match its network") from error
        return network.eval().requires_grad_(False)


def load_weights(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a checkpoint's weights into a module; raises ValueError if names or shapes of the tensors differ."""
    state = checkpoint.content["state_dict"]
    theirs = {key: value.shape for key, value in state.items()}
    ours = {key: value.shape for key, value in module.state_dict().items()}
    misfits = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if misfits:
        counts = f"{len(misfits)} of {len(ours)} tensors differ, e.g. {misfits[0]}"
        raise ValueError(f"{checkpoint.path}: a checkpoint of another network: {counts}")
    module.load_state_dict(state)


def refuse_other_network(checkpoint: Checkpoint, network: dict[str, Any] | None) -> None:
    """Check that a checkpoint to resume has the configured network.

    LightningCLI would silently use the network of the checkpoint.

    Args:
        checkpoint: checkpoint to resume.
        network: configured network, with ``class_path`` and ``init_args``.

    Raises:
        ValueError: the checkpoint has another network.
    """
    theirs, ours = _flat(checkpoint.hyper_parameters.get("network") or {}), _flat(network or {})
    different = [key for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)]
    if different:
        key = different[0]
        raise ValueError(
            f"{checkpoint.path}: a checkpoint of another network: its {key} is {theirs.get(key)}, the configured one "
            f"is {ours.get(key)}; to start from other weights give --model.weights"
        )


def refuse_weights_alone(checkpoint: Checkpoint) -> None:
    """Raise ValueError if a checkpoint has no optimizer state, such as one written by prune.

    Lightning would raise a KeyError.
    """
    if "optimizer_states" not in checkpoint.content:
        raise ValueError(
            f"{checkpoint.path}: has weights but no run to resume; to start from its weights give --model.weights"
        )


def _flat(description: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings to dotted keys; ``init_args`` levels and ``weights`` are left out."""
    flat: dict[str, Any] = {}
    for key, value in description.items():
        name = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return {key: value for key, value in flat.items() if key != "weights"}
