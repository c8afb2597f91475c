"""Find the checkpoint of a run folder. Imports no torch."""

from __future__ import annotations

from pathlib import Path


def model_file(path: Path) -> Path:
    """Return the best checkpoint of a run folder, or any other path as it is.

    Args:
        path: a file, a run folder, its folder ``checkpoints``, or the folder of an experiment with one run.

    Raises:
        FileNotFoundError: the folder has no best checkpoint.
        ValueError: the folder has several runs.
    """
    if not path.is_dir():
        return path
    for pattern in ("best.ckpt", "checkpoints/best.ckpt", "*/checkpoints/best.ckpt"):
        found = sorted(path.glob(pattern))
        if len(found) > 1:
            raise ValueError(f"{path}: has {len(found)} runs; give one of them, e.g. {found[-1].parent.parent}")
        if found:
            return found[0]
    last = next((path / name for name in ("last.ckpt", "checkpoints/last.ckpt") if (path / name).is_file()), None)
    advice = f"give {last}, its last one" if last else "a run folder has checkpoints/best.ckpt"
    raise FileNotFoundError(f"{path}: a folder without a best checkpoint; {advice}")
