"""Metadata of model files: its fields, reading and writing. Does not import torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_app.image_files import LARGEST_SIDE

if TYPE_CHECKING:
    from lightning_app.checkpoints import Checkpoint
    from models.contract import DepthNetwork
    from models.prediction import Predicts

UNITS: dict[str, str] = {"depth": "metres", "inverse_depth": "1/m up to scale and shift"}


@dataclass(frozen=True)
class ModelInfo:
    """Metadata of a model file. Each field is one entry; a field is None if the file has no such entry.

    Attributes:
        size: (height, width) of the network's input.
        frames: (height, width) of the camera frames that the file accepts, if it resizes them itself.
        input: description of the input: colour space, range, data type and shape.
        output: description of the output: data type, shape, units and how to resize it.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        units: units of the output.
        quantized: description of the quantization; None for a float file.
        precision: precision of weights and activations.
        licence: licence conditions that follow from the training data and the pretrained weights.
        checkpoint: file name of the source checkpoint.
        checkpoint_sha256: SHA-256 of the source checkpoint.
        pocketdepth: version of PocketDepth that wrote the file.
        canonical_focal_px: focal length of the canonical camera, in pixels of the input; None without such a camera.
        stem_mean: mean of each output channel of the first convolution over the training images.
        stem_std: standard deviation of the same channels.
        float_layers: names of the layers that stay in float in int8 files, see :mod:`models.float_layers`.
        warning: warning of ``pocketdepth quantize`` about the calibration images.
        chip: chip that the file was compiled for.
    """

    size: tuple[int, int] | None = None
    frames: tuple[int, int] | None = None
    input: str | None = None
    output: str | None = None
    predicts: Predicts | None = None
    units: str | None = None
    quantized: str | None = None
    precision: str | None = None
    licence: str | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    pocketdepth: str | None = None
    canonical_focal_px: float | None = None
    stem_mean: tuple[float, ...] | None = None
    stem_std: tuple[float, ...] | None = None
    float_layers: tuple[str, ...] | None = None
    warning: str | None = None
    chip: str | None = None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: Path | str) -> ModelInfo:
        """Parse the metadata entries of a file. Unknown entries are ignored.

        Args:
            metadata: the entries.
            path: the file, for the error message.

        Raises:
            ValueError: an entry cannot be parsed.
        """
        values: dict[str, Any] = {each.name: metadata[each.name] for each in fields(cls) if each.name in metadata}
        for name, parse in _PARSERS.items():
            try:
                values[name] = parse(values[name]) if name in values else None
            except ValueError as error:
                raise ValueError(f"{path}: its metadata has {name} {metadata[name]!r}, which is invalid") from error
        return cls(**values)

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, size: tuple[int, int]) -> ModelInfo:
        """Metadata common to all files made from a checkpoint, for an input of (height, width)."""
        info, focal = cls.of_network(checkpoint.network, size), checkpoint.canonical_focal_px
        return replace(info, checkpoint_sha256=checkpoint.sha256, canonical_focal_px=focal)

    @classmethod
    def of_network(cls, network: DepthNetwork, size: tuple[int, int]) -> ModelInfo:
        """Metadata common to all files made from a network, for an input of (height, width)."""
        return cls(
            size=size,
            predicts=network.predicts,
            units=UNITS[network.predicts],
            pocketdepth=version("pocketdepth"),
        )

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata entries in the order of the fields. Fields that are None are left out."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _WRITERS.get(name, str)(value) for name, value in values.items() if value is not None}


def read_metadata(text: str | bytes, path: Path) -> dict[str, str]:
    """Parse metadata entries that are stored as JSON. Raises ValueError, with the file, if they are damaged."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also bytes that are not UTF-8
        raise ValueError(f"{path}: its metadata is damaged ({error})") from error
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise ValueError(f"{path}: its metadata is damaged; it is not a mapping of texts")
    return entries


def _parse_size(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(
        r"(\d{1,9})x(\d{1,9}) \(height x width\)", text
    )  # "size" in a third-party file may have another format
    if match and not (1 <= int(match[1]) <= LARGEST_SIDE and 1 <= int(match[2]) <= LARGEST_SIDE):
        raise ValueError(text)
    return (int(match[1]), int(match[2])) if match else None


def _parse_predicts(text: str) -> str:
    if text not in UNITS:
        raise ValueError(text)
    return text


def _parse_focal(text: str) -> float | None:
    if text and not 0 < float(text) < math.inf:
        raise ValueError(text)
    return float(text) if text else None


def _parse_numbers(text: str) -> tuple[float, ...]:
    numbers = tuple(float(number) for number in text.split())
    if not all(map(math.isfinite, numbers)):
        raise ValueError(text)
    return numbers


def _write_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} (height x width)"


def _write_numbers(numbers: tuple[float, ...]) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)


_PARSERS: dict[str, Callable[[str], object]] = {
    "size": _parse_size,
    "frames": _parse_size,
    "predicts": _parse_predicts,
    "canonical_focal_px": _parse_focal,
    "stem_mean": _parse_numbers,
    "stem_std": _parse_numbers,
    "float_layers": lambda text: tuple(text.split()),
}
_WRITERS: dict[str, Callable[[Any], str]] = {
    "size": _write_size,
    "frames": _write_size,
    "stem_mean": _write_numbers,
    "stem_std": _write_numbers,
    "float_layers": " ".join,
}
