"""``pocketdepth data stylize``: style banks, and stylized copies of data sets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from datamodules import DepthDataModule, Frame, Reader, StyleTransfer
from lightning_app.config import read_data_module
from lightning_app.evaluation.pictures import to_picture
from lightning_app.files import atomic_write, inside, refuse_existing


def make_bank(data: Sequence[Path], output: Path, overwrite: bool = False) -> None:
    """Look at the style images of a data section once, and write what its style network needs of them.

    Args:
        data: YAMLs with a ``data`` section, the later wins.
        output: .npz file.
        overwrite: replace an ``output`` that exists.

    Raises:
        FileNotFoundError: no such YAML or image.
        FileExistsError: ``output`` exists.
        CorruptFrameError: an image that cannot be used, unless the data section says ``on_corrupt: skip``.
        ValueError: no style in the data section, or a style image that is a frame of its val or test.
    """
    refuse_existing(output, overwrite=overwrite)
    module, style = _read(data)

    def bar(places: range) -> Iterator[int]:
        yield from track(places, f"bank {output.name}")

    bank = style.gather(module.size, module.evaluated_paths(), module.on_corrupt, progress=bar)
    with atomic_write(output) as temporary, temporary.open("wb") as file:
        bank.write(file)
    print(f"{output}: {len(bank.sources)} styles, {output.stat().st_size / 1000:.1f} kB, for {bank.fingerprint}")


def stylise(data: Sequence[Path], output: Path, seed: int = 0, overwrite: bool = False) -> None:
    """Write a copy of the synthetic training data whose images are stylised, in the same layout; all else is copied as
    it is.

    Args:
        data: YAMLs with a ``data`` section, the later wins.
        output: folder, which gets a folder for each reader, named as its own.
        seed: of what is drawn: which frames, which styles, how strongly.
        overwrite: replace an ``output`` that exists.

    Raises:
        FileNotFoundError: no such YAML or data.
        FileExistsError: ``output`` exists.
        CorruptFrameError: a frame that cannot be read.
        ValueError: no style or no synthetic training data in the data section, or frames that are no files.
    """
    refuse_existing(output, overwrite=overwrite)
    module, style = _read(data)
    foreign = [file for file in inside(output) if file.name not in {reader.root.name for reader in module.train}]
    within = [reader for reader in module.train if reader.root.resolve().is_relative_to(output.resolve())]
    if foreign or within:
        lost = foreign[0] if foreign else within[0].root
        raise FileExistsError(f"{lost} is no stylised copy and would be lost; give another --output")
    readers = [reader for reader in module.train if len(reader) and reader[0].domain == "synthetic"]
    if not readers:
        raise ValueError(f"{', '.join(map(str, data))}: no synthetic frames under data.train")
    names = [reader.root.name for reader in readers]
    if len(set(names)) < len(names):
        raise ValueError(f"two training readers are called {max(names, key=names.count)}: stylise one at a time")
    style.load(module.size, module.evaluated_paths(), module.on_corrupt)
    changed = dict.fromkeys(readers, 0)
    with _atomic_folder(output) as temporary:
        for reader in readers:
            for index in track(range(len(reader)), f"stylise {reader}"):
                key = int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0] >> 1)
                frame = reader[index]
                image = _stylised(style, frame, key)
                changed[reader] += image is not frame.image
                _write_frame(reader, index, Image.fromarray(image), temporary / reader.root.name)
    for reader, count in changed.items():
        copy = output / reader.root.name
        print(f"{copy}: {len(reader)} frames, {count} of them stylised; train on it as on {reader}, without style")


def _read(data: Sequence[Path]) -> tuple[DepthDataModule, StyleTransfer]:
    module = read_data_module(data, training=True)
    if module.style is None:
        raise ValueError(f"{', '.join(map(str, data))}: the data section names no style")
    return module, module.style


def _stylised(style: StyleTransfer, frame: Frame, key: int) -> NDArray[np.uint8]:
    """The frame's image with another look; the frame's own where it was not drawn."""
    image = torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None].float() / 255
    batch = style({"image": image, "key": torch.tensor([key]), "domain": [frame.domain]})
    return frame.image if batch["image"] is image else to_picture(batch["image"][0])


def _write_frame(reader: Reader, index: int, image: Image.Image, root: Path) -> None:
    first, *others = reader.files(reader.entries[index])
    if not first.is_relative_to(reader.root) or not first.is_file():
        raise ValueError(f"{reader}: its frames are no files that could be copied")
    target = root / first.relative_to(reader.root)
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, quality=95, subsampling=0)  # for JPEG; PNG knows neither
    for file in others:
        copy = root / file.relative_to(reader.root)
        if file.is_file() and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


@contextmanager
def _atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the name of ``path`` once the block has ended well, and is removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
