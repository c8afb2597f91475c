"""Style transfer on the batch: synthetic frames get the style of real ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.reader import CorruptFrameError, Frame, OnCorrupt, Reader, data_path

log = logging.getLogger(__name__)

SMALLEST = 32  # minimum side of a style image in pixels; statistics of smaller ones are unreliable


class StyleBank(NamedTuple):
    """Statistics of style images, computed in advance. Training with a bank does not read the images.

    Attributes:
        statistics: statistics of N images, (N, ...), computed by the style network.
        sources: paths of the images, relative to the data root if they are below it.
        size: (height, width) to which the images were resized.
        fingerprint: fingerprint of the style network.
    """

    statistics: Tensor
    sources: list[str]
    size: tuple[int, int]
    fingerprint: str

    def write(self, file: IO[bytes]) -> None:
        """Write the bank to an open file in .npz format."""
        np.savez_compressed(
            file,
            statistics=self.statistics.numpy(),
            sources=np.array(self.sources),
            size=np.array(self.size),
            fingerprint=np.array(self.fingerprint),
        )


def read_bank(path: Path) -> StyleBank:
    """Read a style bank written by :meth:`StyleBank.write`.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is corrupt or not a style bank.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such style bank; create it with pocketdepth data stylize")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            statistics, sources = torch.from_numpy(arrays["statistics"]), arrays["sources"].tolist()
            height, width = arrays["size"].tolist()
            bank = StyleBank(statistics, sources, (int(height), int(width)), str(arrays["fingerprint"]))
            usable = len(statistics) == len(sources) > 0 and torch.isfinite(statistics).all()
    except Exception as error:  # damaged bytes raise anything: zlib.error, TokenError of a header, MemoryError
        raise ValueError(f"{path}: not a style bank, or corrupt") from error
    if not usable:
        raise ValueError(f"{path}: corrupt style bank: its statistics are not finite, or not one per image")
    return bank


class StyleTransfer:
    """Stylises synthetic frames with randomly drawn real ones, on the device of the batch. Only ``image`` changes.

    Args:
        network: style network, see ``models.StyleNetwork``; set by class_path, e.g. ``models.ImageAdaIN``.
        images: reader of the style images, real training frames. Only their statistics are kept in memory.
        bank: style bank written by ``pocketdepth data stylize``, used instead of ``images``.
        probability: probability that a synthetic frame is stylised.
        strength: range of the strength in [0, 1], drawn uniformly; 0 leaves the frame unchanged.
        max_images: maximum number of style images to read without a bank, spread evenly over the reader.

    Raises:
        ValueError: ``probability`` or ``strength`` is outside [0, 1], or neither ``images`` nor ``bank`` is set.
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
            raise ValueError("style transfer needs images or a bank")
        self.network: Any = network.eval()  # a models.StyleNetwork, which this package must not import
        self.images, self.bank = images, bank
        self.probability, self.strength, self.max_images = probability, strength, max_images
        self._statistics = torch.empty(0)

    def load(self, size: tuple[int, int], evaluated: set[Path], on_corrupt: OnCorrupt = "raise") -> None:
        """Read the bank, or compute the statistics of the style images.

        Args:
            size: (height, width) to which the style images are resized.
            evaluated: resolved paths of the validation and test splits.
            on_corrupt: ``raise`` or ``skip`` corrupt style images.

        Raises:
            CorruptFrameError: a style image is corrupt and ``on_corrupt`` is ``raise``, or fewer than two are usable.
            FileNotFoundError: the bank is missing.
            ValueError: a style image is in the validation or test split, or the bank is of another style network.
        """
        if self.bank is None:
            self._statistics = self.gather(size, evaluated, on_corrupt, self.max_images).statistics
            return
        bank = read_bank(Path(self.bank))
        refuse_evaluated([data_path(source) for source in bank.sources], evaluated)
        fingerprint = self.network.fingerprint()
        if bank.fingerprint != fingerprint:
            raise ValueError(
                f"{self.bank}: the bank was made with {bank.fingerprint}, but the style network is {fingerprint}"
            )
        if bank.size != size:
            log.warning(
                "%s: the bank was made at %dx%d, but the frames are %dx%d; statistics depend slightly on the size",
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
        """Compute the statistics of the style images; raises as :meth:`load`.

        Args:
            size: (height, width) to which the style images are resized.
            evaluated: resolved paths of the validation and test splits.
            on_corrupt: ``raise`` or ``skip`` corrupt style images.
            most: maximum number of images, spread evenly over the reader; all by default.
            progress: wraps the iteration over image indices, e.g. in a progress bar.
        """
        if self.images is None:
            raise ValueError("a style bank needs style images: set data.style.images to a reader")
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
                f"{self.images}: {len(statistics)} usable style images, need at least 2, so that styles vary"
            )
        fingerprint = self.network.fingerprint()
        return StyleBank(torch.cat(statistics), sources, size, fingerprint)

    @torch.no_grad()
    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Stylise ``batch["image"]``, float in [0, 1]. Random draws depend only on ``batch["key"]``."""
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
    """Raise ValueError if a style image is in ``evaluated``, the resolved paths of the validation and test splits."""
    shared = [path for path in images if path.resolve() in evaluated]
    if shared:
        raise ValueError(
            f"{len(shared)} style images are frames of the evaluation split, e.g. {shared[0]}: use other images"
        )


def _style_image(frame: Frame, size: tuple[int, int]) -> Tensor:
    """Style image in [0, 1], (1, 3, height, width). Raises CorruptFrameError for unsuitable images."""
    if min(frame.image.shape[:2]) < SMALLEST:
        height, width = frame.image.shape[:2]
        raise CorruptFrameError(
            f"{frame.path}: {height}x{width} is too small for a style image, at least {SMALLEST} px per side are needed"
        )
    if (frame.image == frame.image[..., :1]).all():
        raise CorruptFrameError(f"{frame.path}: the style image is greyscale and would remove the colours of frames")
    image = torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None].float()
    return F.interpolate(image, size, mode="bilinear", antialias=True).round() / 255


def _name(path: Path) -> str:
    """Path relative to the data root if it is below it, so that a bank stays valid when the data moves."""
    root, path = data_path("").resolve(), path.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _draws(key: int) -> Tensor:
    """Three uniform numbers in [0, 1): whether to stylise, the strength, the style image."""
    return torch.rand(3, generator=torch.Generator().manual_seed(key))
