"""``pocketdepth data stylize``: write style banks and stylized copies of data sets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from datamodules import DepthDataModule, Frame, Reader, StyleTransfer
from lightning_app.config import read_data_module
from lightning_app.evaluation.pictures import to_picture
from lightning_app.files import atomic_folder, atomic_write, inside, refuse_existing


def make_bank(data: Sequence[Path], output: Path, overwrite: bool = False) -> None:
    """Write a style bank: the statistics of all style images that the style transfer network needs.

    Args:
        data: YAMLs with a ``data`` section; later files override earlier ones.
        output: .npz file to write.
        overwrite: whether to replace an existing ``output``.

    Raises:
        FileNotFoundError: no such YAML or image.
        FileExistsError: ``output`` exists.
        CorruptFrameError: a corrupt or unsuitable image, unless the data section has ``on_corrupt: skip``.
        ValueError: no style in the data section, or a style image that is in the validation or test split.
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
    """Write a copy of the synthetic training data with stylized images.

    The copy has the same layout. Other files of the frames are copied unchanged.

    Args:
        data: YAMLs with a ``data`` section; later files override earlier ones.
        output: output folder; each reader gets a subfolder with the name of its root folder.
        seed: random seed of the choice of frames, styles and strengths.
        overwrite: whether to replace an existing ``output``.

    Raises:
        FileNotFoundError: no such YAML or data.
        FileExistsError: ``output`` exists.
        CorruptFrameError: a corrupt frame.
        ValueError: no style or no synthetic training data in the data section, or a reader whose frames are not files.
    """
    refuse_existing(output, overwrite=overwrite)
    module, style = _read(data)
    other_files = [file for file in inside(output) if file.name not in {reader.root.name for reader in module.train}]
    within = [reader for reader in module.train if reader.root.resolve().is_relative_to(output.resolve())]
    if other_files or within:
        lost = other_files[0] if other_files else within[0].root
        raise FileExistsError(f"{lost} is not a stylized copy and would be removed; give another --output")
    readers = [reader for reader in module.train if len(reader) and reader[0].domain == "synthetic"]
    if not readers:
        raise ValueError(f"{', '.join(map(str, data))}: no synthetic frames under data.train")
    names = [reader.root.name for reader in readers]
    if len(set(names)) < len(names):
        raise ValueError(f"two training readers are named {max(names, key=names.count)}; stylize one at a time")
    style.load(module.size, module.evaluated_paths(), module.on_corrupt)
    changed = dict.fromkeys(readers, 0)
    with atomic_folder(output) as temporary:
        for reader in readers:
            for index in track(range(len(reader)), f"stylize {reader}"):
                key = int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0] >> 1)
                frame = reader[index]
                image = _stylised(style, frame, key)
                changed[reader] += image is not frame.image
                _write_frame(reader, index, Image.fromarray(image), temporary / reader.root.name)
    for reader, count in changed.items():
        copy = output / reader.root.name
        print(
            f"{copy}: {len(reader)} frames, {count} of them stylized; use it in place of {reader}, without data.style"
        )


def _read(data: Sequence[Path]) -> tuple[DepthDataModule, StyleTransfer]:
    module = read_data_module(data, training=True)
    if module.style is None:
        raise ValueError(f"{', '.join(map(str, data))}: the data section names no style")
    return module, module.style


def _stylised(style: StyleTransfer, frame: Frame, key: int) -> NDArray[np.uint8]:
    """Stylize the image of a frame; returns the original image if the frame is not selected."""
    image = torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None].float() / 255
    batch = style({"image": image, "key": torch.tensor([key]), "domain": [frame.domain]})
    return frame.image if batch["image"] is image else to_picture(batch["image"][0])


def _write_frame(reader: Reader, index: int, image: Image.Image, root: Path) -> None:
    first, *others = reader.files(reader.entries[index])
    if not first.is_relative_to(reader.root) or not first.is_file():
        raise ValueError(f"{reader}: its frames are not files, so they cannot be copied")
    target = root / first.relative_to(reader.root)
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, quality=95, subsampling=0)  # for JPEG; PNG ignores both
    for file in others:
        copy = root / file.relative_to(reader.root)
        if file.is_file() and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
