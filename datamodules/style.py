"""Style transfer on the batch: synthetic frames get the look of real ones."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.reader import CorruptFrameError, Frame, OnCorrupt, Reader, data_path

log = logging.getLogger(__name__)

SMALLEST = 32  # pixels of a side of a style image; below it statistics say little


class StyleBank(NamedTuple):
    """What a style network needs of each style image, so that training needs none of them.

    Attributes:
        statistics: (N, ...), of the style network.
        sources: the image files, relative to the data root where they lie below it.
        size: (height, width) at which the images were looked at.
        fingerprint: of the style network.
    """

    statistics: Tensor
    sources: list[str]
    size: tuple[int, int]
    fingerprint: str

    def write(self, file: IO[bytes]) -> None:
        """Write the bank as .npz."""
        np.savez_compressed(
            file,
            statistics=self.statistics.numpy(),
            sources=np.array(self.sources),
            size=np.array(self.size),
            fingerprint=np.array(self.fingerprint),
        )


def read_bank(path: Path) -> StyleBank:
    """Read what :meth:`StyleBank.write` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, or a corrupt one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such style bank; pocketdepth data stylize makes one")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            statistics, sources = torch.from_numpy(arrays["statistics"]), arrays["sources"].tolist()
            height, width = arrays["size"].tolist()
            return StyleBank(statistics, sources, (height, width), str(arrays["fingerprint"]))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a style bank, or a corrupt one") from error


class StyleTransfer:
    """Stylises synthetic frames with randomly drawn real ones, on the batch's device; nothing but ``image`` changes.

    Args:
        network: a style network, see ``models.StyleNetwork``; given by class_path, e.g. ``models.ImageAdaIN``.
        images: the style images, real training frames; only their statistics are kept in memory.
        bank: a file of ``pocketdepth data stylize`` that stands in for them.
        probability: share of the synthetic frames that change.
        strength: lowest and highest strength; drawn evenly between them.
        max_images: how many images are looked at, at most, where there is no bank; spread evenly over the reader.

    Raises:
        ValueError: a probability or strength outside [0, 1], or neither images nor a bank.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Reader | None = None,
        bank: str | None = None,
        probability: float = 0.8,
        strength: tuple[float, float] = (0.5, 1.0),
        max_images: int = 256,
    ) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"style probability {probability} is not in [0, 1]")
        if not 0 <= strength[0] <= strength[1] <= 1:
            raise ValueError(f"style strength {list(strength)} is not an ascending pair in [0, 1]")
        if images is None and bank is None:
            raise ValueError("style transfer needs images, or a bank of them")
        self.network: Any = network.eval()  # the members of models.StyleNetwork; this package imports none of models
        self.images, self.bank = images, bank
        self.probability, self.strength, self.max_images = probability, strength, max_images
        self._statistics = torch.empty(0)

    def load(self, size: tuple[int, int], evaluated: set[Path], on_corrupt: OnCorrupt = "raise") -> None:
        """Read the bank, or look at the style images at (height, width).

        Raises:
            CorruptFrameError: a corrupt image, unless ``on_corrupt`` is ``skip``, or less than two that are whole.
            FileNotFoundError: no such bank.
            ValueError: a style image is a frame of the validation or test split, or a bank of another style network.
        """
        if self.bank is None:
            self._statistics = self.gather(size, evaluated, on_corrupt, self.max_images).statistics
            return
        bank = read_bank(Path(self.bank))
        refuse_evaluated([data_path(source) for source in bank.sources], evaluated)
        fingerprint = self.network.fingerprint()
        if bank.fingerprint != fingerprint:
            raise ValueError(f"{self.bank}: a bank of {bank.fingerprint}, but the style network is {fingerprint}")
        if bank.size != size:
            log.warning(
                "%s: made at %dx%d, but the frames are %dx%d; statistics differ a little with the size",
                *(self.bank, *bank.size, *size),
            )
        self._statistics = bank.statistics

    @torch.no_grad()
    def gather(
        self,
        size: tuple[int, int],
        evaluated: set[Path],
        on_corrupt: OnCorrupt,
        most: int | None = None,
        progress: Callable[[range], Iterable[int]] = iter,
    ) -> StyleBank:
        """Look at the style images, or at ``most`` of them, at (height, width); raises as ``load`` does."""
        if self.images is None:
            raise ValueError("a bank is made of images: name a reader of them under data.style.images")
        refuse_evaluated(self.images.paths, evaluated)
        step = max(1, -(-len(self.images) // most)) if most else 1
        statistics, sources = [], []
        for index in progress(range(0, len(self.images), step)):
            try:
                image = _style_image(self.images[index], size)
            except CorruptFrameError as error:
                if on_corrupt == "raise":
                    raise
                log.warning("skipped: %s", error)
                continue
            statistics.append(self.network.statistics(image))
            sources.append(_name(self.images.paths[index]))
        if len(statistics) < 2:
            raise CorruptFrameError(
                f"{self.images}: {len(statistics)} usable style images; every frame would look alike, give at least 2"
            )
        fingerprint = self.network.fingerprint()
        return StyleBank(torch.cat(statistics), sources, size, fingerprint)

    @torch.no_grad()
    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Stylise ``batch["image"]``, float in [0, 1]; what is drawn depends on the samples' keys alone."""
        image: Tensor = batch["image"]
        draws = torch.stack([_draws(int(key)) for key in batch["key"].tolist()])
        synthetic = torch.tensor([domain == "synthetic" for domain in batch["domain"]])
        chosen = (synthetic & (draws[:, 0] < self.probability)).nonzero()[:, 0]
        if not len(chosen):
            return batch
        low, high = self.strength
        strength = (low + (high - low) * draws[chosen, 1]).to(image.device)
        statistics = self._statistics[(draws[chosen, 2] * len(self._statistics)).long()].to(image.device)
        self.network.to(image.device)
        chosen = chosen.to(image.device)
        stylised = self.network(image[chosen], statistics, strength)
        return batch | {"image": image.index_copy(0, chosen, stylised.to(image.dtype))}


def refuse_evaluated(images: Iterable[Path], evaluated: set[Path]) -> None:
    """Raise ValueError where a style image is one of the (resolved) files of the validation and test splits."""
    shared = [path for path in images if path.resolve() in evaluated]
    if shared:
        raise ValueError(f"{len(shared)} style images are frames of the evaluation split, e.g. {shared[0]}")


def _style_image(frame: Frame, size: tuple[int, int]) -> Tensor:
    """RGB in [0, 1], (1, 3, height, width); raises CorruptFrameError where it has no look to give."""
    if min(frame.image.shape[:2]) < SMALLEST:
        height, width = frame.image.shape[:2]
        raise CorruptFrameError(f"{frame.path}: {height}x{width} is too small for a style, {SMALLEST} px are the least")
    if (frame.image == frame.image[..., :1]).all():
        raise CorruptFrameError(f"{frame.path}: a grey image would take the colours from every frame")
    image = torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None].float()
    return F.interpolate(image, size, mode="bilinear", antialias=True).round() / 255


def _name(path: Path) -> str:
    """A path relative to the data root where it lies below it, so that a bank moves with its data."""
    root, path = data_path("").resolve(), path.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _draws(key: int) -> Tensor:
    """Three numbers in [0, 1): whether, how strongly, which style."""
    return torch.rand(3, generator=torch.Generator().manual_seed(key))
