"""Checkpoint files of a training run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn


def read_checkpoint(path: Path, module: str | None = None) -> dict[str, Any]:
    """Read what a run saved: ``state_dict``, ``hyper_parameters``, ``config`` (its YAML), ``pocketdepth`` and more.

    Args:
        path: the checkpoint.
        module: the class path of the LightningModule that it must be of.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of PocketDepth, a corrupt one, or one of another module.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        known = "pocketdepth" in content and "hyper_parameters" in content
    except (RuntimeError, pickle.UnpicklingError, EOFError, TypeError) as error:
        raise ValueError(
            f"{path}: not a checkpoint of PocketDepth, or a corrupt one ({type(error).__name__})"
        ) from error
    if not known:
        raise ValueError(f"{path}: not a checkpoint of PocketDepth")
    theirs = content["hyper_parameters"].get("_class_path", module)
    if module not in (None, theirs):
        raise ValueError(f"{path}: a checkpoint of {theirs}, not of {module}")
    return content


def load_weights(module: nn.Module, path: Path) -> None:
    """Load a checkpoint's weights into a module.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a checkpoint of another network, or not one of PocketDepth.
    """
    state = read_checkpoint(path)["state_dict"]
    theirs = {key: value.shape for key, value in state.items()}
    ours = {key: value.shape for key, value in module.state_dict().items()}
    misfits = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if misfits:
        raise ValueError(
            f"{path}: a checkpoint of another network: {len(misfits)} of {len(ours)} tensors differ, e.g. {misfits[0]}"
        )
    module.load_state_dict(state)


def refuse_other_network(path: Path, network: dict[str, Any] | None) -> None:
    """Refuse to go on from a checkpoint whose network is not the configured one: LightningCLI would take the
    checkpoint's silently.

    Args:
        path: the checkpoint.
        network: the configuration, with ``class_path`` and ``init_args``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a checkpoint of another network, or not one of PocketDepth.
    """
    theirs, ours = _flat(read_checkpoint(path)["hyper_parameters"].get("network") or {}), _flat(network or {})
    different = [key for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)]
    if different:
        key = different[0]
        raise ValueError(
            f"{path}: a checkpoint of another network: its {key} is {theirs.get(key)}, here it is {ours.get(key)}; "
            "to start from other weights give --model.weights"
        )


def refuse_weights_alone(path: Path) -> None:
    """Refuse to resume from a checkpoint that holds no run, as pruning writes it: Lightning would fail with a KeyError.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no run in it, or not a checkpoint of PocketDepth.
    """
    if "optimizer_states" not in read_checkpoint(path):
        raise ValueError(f"{path}: holds weights and no run to resume; to start from them give --model.weights")


def _flat(description: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key, without how they are nested in init_args and without where weights came from."""
    flat: dict[str, Any] = {}
    for key, value in description.items():
        name = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return {key: value for key, value in flat.items() if key != "weights"}
