"""Checkpoint files of a training run."""

from __future__ import annotations

import hashlib
import io
import math
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from lightning_app.config import parse_yaml
from lightning_app.foreign_networks import build_network
from lightning_app.image_files import LARGEST_SIDE
from lightning_app.moved import with_new_names
from lightning_app.training_data import TrainingSet, read_training_data
from models.contract import DEPTH_NETWORK, DepthNetwork, require_depth_network

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
        content = _read(path, data)
        parts = [content.get(key) for key in ("pocketdepth", "hyper_parameters", "state_dict")]
        if not all(isinstance(part, dict) for part in parts):
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
        """Configuration of the training run; empty if the checkpoint has none.

        It is text of unknown origin: nothing may be built from it.

        Raises:
            ValueError: it is not a mapping, or a section of it is not.
        """
        text = self.content.get("config") or "{}"
        config: Any = parse_yaml(text, str(self.path)) or {} if isinstance(text, str) else None
        if isinstance(config, dict):
            sections = [config.get(name) or {} for name in ("model", "data")]
            if all(isinstance(each, dict) and isinstance(each.get("init_args") or {}, dict) for each in sections):
                return config
        raise ValueError(f"{self.path}: the YAML in it is not a mapping with the sections model and data")

    @property
    def size(self) -> tuple[int, int]:
        """Training size, (height, width). Raises ValueError if the checkpoint has none, or an invalid one."""
        size = self.content["pocketdepth"].get("size")
        if not (isinstance(size, list | tuple) and len(size) == 2 and all(type(side) is int for side in size)):
            raise ValueError(f"{self.path}: its training size is {size!r}, not (height, width)")
        if not all(1 <= side <= LARGEST_SIDE for side in size):
            raise ValueError(f"{self.path}: its training size is {size[0]}x{size[1]}, not within 1 to {LARGEST_SIDE}")
        return size[0], size[1]

    @property
    def canonical_focal_px(self) -> float | None:
        """Focal length of the canonical camera, in pixels; None without one. Raises ValueError for an invalid one."""
        focal = self.hyper_parameters.get("canonical_focal_px")
        if focal is None:
            return None
        if isinstance(focal, bool) or not isinstance(focal, int | float) or not 0 < focal < math.inf:
            raise ValueError(f"{self.path}: its canonical focal length is {focal!r}, not a positive number of pixels")
        return float(focal)

    @cached_property
    def training_data(self) -> list[TrainingSet] | None:
        """What the network was trained on; None if the checkpoint does not record it."""
        return read_training_data(self.content["pocketdepth"].get("training_data"))

    @property
    def scores(self) -> dict[str, float]:
        """Monitored metrics of the last validation before the checkpoint was saved, by name."""
        callbacks = self.content.get("callbacks")
        states = callbacks.values() if isinstance(callbacks, dict) else ()
        return {
            state["monitor"]: float(state["current_score"])
            for state in states
            if isinstance(state, dict)
            and isinstance(state.get("monitor"), str)
            and isinstance(state.get("current_score"), int | float | Tensor)
        }

    @cached_property
    def network(self) -> DepthNetwork:
        """The depth network, as :meth:`build_network` returns it."""
        return require_depth_network(self.build_network(DEPTH_NETWORK))

    def build_network(self, members: tuple[str, ...] = ()) -> nn.Module:
        """Build the network of any module with its trained weights, in evaluation mode and with gradients disabled.

        Args:
            members: attributes that the class of the network must have.

        Raises:
            ValueError: the network cannot be built, or the weights do not match it or are not finite.
        """
        section, source = self.hyper_parameters.get("network"), str(self.path)
        reasons = self.content["pocketdepth"].get("not_described")
        if section is None and isinstance(reasons, dict) and "network" in reasons:
            raise ValueError(f"{source}: its network cannot be built from the file alone: {reasons['network']}")
        network = build_network(section, members, source)
        prefix = "network."
        state = self.content["state_dict"]
        weights = {key.removeprefix(prefix): value for key, value in state.items() if str(key).startswith(prefix)}
        try:
            network.load_state_dict(weights)
        except Exception as error:  # RuntimeError for other shapes; anything for values that are not tensors
            raise ValueError(f"{self.path}: its weights do not match its network") from error
        require_finite_weights(network, source)
        return network.eval().requires_grad_(False)


def require_finite_weights(module: nn.Module, source: str) -> None:
    """Raise ValueError if a weight is NaN or infinite.

    Args:
        module: module with the weights.
        source: their file, for the error.
    """
    for name, value in module.state_dict().items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{source}: its weights are not finite: {name} has NaN or infinite values")


def _read(path: Path, data: bytes) -> dict[str, Any]:
    """Plain data and tensors in a checkpoint. Nothing in the file is executed.

    Raises:
        ValueError: not a checkpoint, a corrupt one, or one with other objects.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # torch's own reader does not compare the checksums
            corrupt = archive.testzip()
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
        if corrupt is not None or packed:  # torch never compresses; a few bytes could expand to any size
            raise ValueError("its checksums do not match")
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile and torch.load raise many kinds for invalid files
        objects = re.search(r"Unsupported (?:global|class): (?:GLOBAL )?([\w.]+)|GLOBAL ([\w.]+) was not", str(error))
        if objects:
            held = f"it holds an object of {objects[1] or objects[2]}, and unpickling objects can run any code"
            raise ValueError(f"{path}: {held}; save it again with this version of PocketDepth") from error
        reason = error if isinstance(error, ValueError) else type(error).__name__
        raise ValueError(f"{path}: not a checkpoint of PocketDepth, or a corrupt one ({reason})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a checkpoint of PocketDepth")
    return content


def load_weights(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Load weights, but not into a pose network; raises ValueError if names or shapes of the tensors differ."""
    kept = checkpoint.content["state_dict"]
    state = {key: value for key, value in kept.items() if not str(key).startswith("pose.")}
    theirs = {key: value.shape for key, value in state.items()}
    ours = {key: value.shape for key, value in module.state_dict().items() if not key.startswith("pose.")}
    misfits = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if misfits:
        counts = f"{len(misfits)} of {len(ours)} tensors differ, e.g. {misfits[0]}"
        raise ValueError(f"{checkpoint.path}: a checkpoint of another network: {counts}")
    module.load_state_dict(state, strict=False)
    require_finite_weights(module, str(checkpoint.path))


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
