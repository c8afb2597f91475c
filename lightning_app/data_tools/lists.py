"""``pocketdepth data list``: split KITTI by drive."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from datamodules import KittiRaw
from lightning_app.data_tools.sources import build_reader
from lightning_app.files import atomic_write, refuse_existing


def write_lists(
    arguments: Sequence[str], output: Path, val_share: float = 0.1, seed: int = 0, overwrite: bool = False
) -> None:
    """Write ``train_files.txt`` and ``val_files.txt`` in the format of monodepth2. No drive is in both.

    Args:
        arguments: arguments of :class:`~datamodules.KittiRaw`, as on the command line.
        output: folder of the lists.
        val_share: share of the frames for validation, reached as closely as whole drives allow.
        seed: seed of the choice of drives.
        overwrite: whether to replace existing lists.

    Raises:
        FileExistsError: the lists exist already.
        FileNotFoundError: no such folder, or no frames in it.
        ValueError: invalid arguments, or fewer than two drives.
    """
    reader = build_reader("KittiRaw", arguments)
    assert isinstance(reader, KittiRaw)
    files = {name: output / f"{name}_files.txt" for name in ("train", "val")}
    refuse_existing(*files.values(), overwrite=overwrite)
    drives: dict[str, list[str]] = defaultdict(list)
    for entry in reader.entries:
        drive = "/".join(entry.image.parts[-5:-3])
        drives[drive].append(f"{drive} {int(entry.image.stem)} {'l' if entry.camera == 2 else 'r'}")
    if len(drives) < 2:
        raise ValueError(f"{reader.root}: frames of 1 drive only; a split by drive needs at least 2")
    validation = _choose({drive: len(lines) for drive, lines in drives.items()}, val_share, seed)
    for name, path in files.items():
        chosen = [line for drive, lines in drives.items() if (drive in validation) == (name == "val") for line in lines]
        with atomic_write(path) as temporary:
            temporary.write_text("\n".join(chosen) + "\n")
        count = sum((drive in validation) == (name == "val") for drive in drives)
        print(f"{name}: {len(chosen)} frames of {count} {'drive' if count == 1 else 'drives'} -> {path}")


def _choose(sizes: dict[str, int], share: float, seed: int) -> set[str]:
    """Drives whose frames are nearest to a share of all frames, taken in random order; at least one, but not all."""
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    chosen: set[str] = set()
    missing = share * sum(sizes.values())
    for drive in order[:-1]:
        if not chosen or sizes[drive] <= 2 * missing:
            chosen.add(drive)
            missing -= sizes[drive]
    return chosen
