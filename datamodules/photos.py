"""A folder of images without depth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.depth_io import read_label
from datamodules.folders import SUFFIXES, find_images
from datamodules.image_files import read_image
from datamodules.reader import CorruptFrameError, Frame, Licence, Reader, data_path, guessed_pinhole, require_folder


class _Entry(NamedTuple):
    image: Path
    label: Path | None


class Photos(Reader):
    """Images of a folder and its subfolders, without ground truth depth.

    16-bit greyscale PNGs are skipped, because they are depth maps. The intrinsics are a guess with a horizontal field
    of view of 60 degrees.

    Args:
        root: folder, relative to the data root.
        labels: folder of a teacher's inverse depth, written by ``pocketdepth label`` for ``root``, relative to the data
            root. Images without a label are left out.

    Raises:
        FileNotFoundError: a folder is missing, or has no images or no labels.
    """

    layout = f"a folder of images ({', '.join(SUFFIXES)})"
    truth = "none"
    licence = Licence("your own photographs", "set by their authors", None)

    def __init__(self, root: str, labels: str | None = None) -> None:
        self.root, self.labels = data_path(root), None if labels is None else data_path(labels)

    def scan(self) -> list[_Entry]:
        require_folder(self.root, self.layout)
        paths = find_images(self.root)
        if self.labels is None:
            return [_Entry(path, None) for path in paths]
        require_folder(self.labels, "the output of `pocketdepth label`, one .png file per image")
        entries = [_Entry(path, label_path(path, self.root, self.labels)) for path in paths]
        labelled = [entry for entry in entries if entry.label is not None and entry.label.is_file()]
        if not labelled:
            raise FileNotFoundError(
                f"{self.labels}: no label for any image of {self.root}; looked for e.g. {entries[0].label}"
            )
        return labelled

    def read(self, entry: _Entry) -> Frame:
        image = read_image(entry.image)
        depth = np.zeros(image.shape[:2], dtype=np.float32)
        inv_depth = None if entry.label is None else read_label(entry.label)
        if inv_depth is not None and inv_depth.shape != depth.shape:
            raise CorruptFrameError(
                f"{entry.label}: shape is {inv_depth.shape}, but its image has {depth.shape}; label it again"
            )
        return Frame(image, depth, guessed_pinhole(image.shape), "real", entry.image, inv_depth=inv_depth)


def label_path(photograph: Path, root: Path, labels: Path) -> Path:
    """Path of the label of an image below ``root``. It keeps the image suffix, so a.jpg and a.png do not collide."""
    return labels / photograph.relative_to(root).with_name(f"{photograph.name}.png")
