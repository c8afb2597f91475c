"""What a network was trained on, as plain data in its checkpoint: names, licences, scenes or frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from datamodules import DepthDataModule, Reader

Licence: TypeAlias = tuple[str, str, bool | None]  # as datamodules.reader.Licence
Use = Literal["data", "looks of"]


@dataclass(frozen=True)
class TrainingSet:
    """The training frames, or the style images, of one reader.

    Attributes:
        name: name of the reader and its folder.
        use: ``data`` or ``looks of`` (style images).
        frames: number of frames.
        licence: name, terms and whether commercial use is allowed (None: unknown).
        scenes: the scenes; empty if the reader knows none.
        digests: a digest of each image's path, without the scenes.
    """

    name: str
    use: Use
    frames: int
    licence: Licence
    scenes: frozenset[str]
    digests: frozenset[int]

    @classmethod
    def of(cls, reader: Reader, use: Use) -> Self:
        """Record a reader, whose data must be present."""
        scenes = frozenset(reader.scenes_found)
        digests = frozenset() if scenes else frozenset(_digests(reader.paths))
        name, terms, commercial = reader.licence
        return cls(str(reader), use, len(reader), (name, terms, commercial), scenes, digests)

    def seen(self, reader: Reader) -> set[str]:
        """Scenes, or else paths of images, of a reader that are in this set."""
        if reader.scenes_found:
            return reader.scenes_found & self.scenes
        paths = [str(path) for path in reader.paths]
        return {path for path, digest in zip(paths, _digests(reader.paths), strict=True) if digest in self.digests}


def training_sets(data: DepthDataModule) -> list[TrainingSet]:
    """Training readers and style images of a data module, whose data must be present."""
    sets = [TrainingSet.of(reader, "data") for reader in data.train]
    if data.style is not None and data.style.images is not None:
        sets.append(TrainingSet.of(data.style.images, "looks of"))
    return sets


def as_record(sets: Iterable[TrainingSet]) -> list[dict[str, Any]]:
    """Plain data and tensors for a checkpoint, see :func:`read_training_data`."""
    return [
        {
            "name": each.name,
            "use": each.use,
            "frames": each.frames,
            "licence": list(each.licence),
            "scenes": sorted(each.scenes),
            "digests": torch.tensor(sorted(each.digests), dtype=torch.int64),  # 8 bytes per frame
        }
        for each in sets
    ]


def read_training_data(record: Any) -> list[TrainingSet] | None:
    """Parse what :func:`as_record` returned; None if there is no record, or a damaged one."""
    if not isinstance(record, list):
        return None
    with suppress(KeyError, TypeError, ValueError):
        return [_read(each) for each in record]
    return None


def licence_of(class_path: str) -> Licence:
    """The licence that a reader of ours states for all of its data. The reader is not built."""
    import datamodules  # slow to import

    package, _, name = class_path.rpartition(".")
    stated = getattr(getattr(datamodules, name, None), "licence", None) if package == "datamodules" else None
    return stated if isinstance(stated, tuple) else (f"the data of {name}", "not known", None)


def _read(record: dict[str, Any]) -> TrainingSet:
    name, terms, commercial = record["licence"]
    if commercial not in (True, False, None) or not isinstance(record["digests"], Tensor):
        raise ValueError(commercial)
    return TrainingSet(
        str(record["name"]),
        "looks of" if record["use"] == "looks of" else "data",
        int(record["frames"]),
        (str(name), str(terms), commercial),
        frozenset(map(str, record["scenes"])),
        frozenset(record["digests"].tolist()),
    )


def _digests(paths: Iterable[Path]) -> list[int]:
    """64 bits of a hash of each resolved path, so that a checkpoint contains no paths of the machine."""
    hashes = (hashlib.blake2b(str(path.resolve()).encode(), digest_size=8).digest() for path in paths)
    return [int.from_bytes(each, "little", signed=True) for each in hashes]
