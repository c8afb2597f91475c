"""A folder of photographs without depth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.depth_io import read_image, read_label
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path, guessed_pinhole, require_folder

_SUFFIXES = {".jpg", ".jpeg", ".png"}


class _Entry(NamedTuple):
    image: Path
    label: Path | None


class Photos(Reader):
    """The photographs of a folder and of the folders in it, without depth: all of it is unknown.

    The intrinsics are a guess, a horizontal field of view of 60 degrees, for nothing else is known.

    Args:
        root: folder, relative to the data root.
        labels: a folder of a teacher's inverse depth that ``pocketdepth label`` wrote for ``root``, relative to the
            data root; what the teacher did not label is left out.

    Raises:
        FileNotFoundError: no such folder, or no photograph in it, or none that is labelled.
    """

    layout = "a folder of .jpg, .jpeg or .png files"
    truth = "none"
    licence = Licence("photographs of your own", "those of their makers", None)

    def __init__(self, root: str, labels: str | None = None) -> None:
        self.root, self.labels = data_path(root), None if labels is None else data_path(labels)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise FileNotFoundError(f"{self.root}: no .jpg, .jpeg or .png file in it")
        if self.labels is None:
            return [_Entry(path, None) for path in paths]
        require_folder(self.labels, "what `pocketdepth label` wrote, a .png file for each photograph")
        entries = [_Entry(path, label_path(path, self.root, self.labels)) for path in paths]
        labelled = [entry for entry in entries if entry.label is not None and entry.label.is_file()]
        if not labelled:
            raise FileNotFoundError(f"{self.labels}: no label of a photograph of {self.root}, e.g. {entries[0].label}")
        return labelled

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        depth = np.zeros(image.shape[:2], dtype=np.float32)
        inv_depth = None if entry.label is None else read_label(entry.label)
        if inv_depth is not None and inv_depth.shape != depth.shape:
            raise CorruptFrameError(
                f"{entry.label}: {inv_depth.shape}, but its photograph is {depth.shape}; label it again"
            )
        return Frame(image, depth, guessed_pinhole(image.shape), "real", entry.image, inv_depth=inv_depth)


def label_path(photograph: Path, root: Path, labels: Path) -> Path:
    """Where the label of a photograph below ``root`` lies; the suffix stays in the name, for a.jpg and a.png differ."""
    return labels / photograph.relative_to(root).with_name(f"{photograph.name}.png")
