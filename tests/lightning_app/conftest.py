"""What tests of evaluation share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.fake_data import DRIVE, write_annotated, write_kitti


def data_yaml(path: Path, *readers: str) -> Path:
    """A data section with test readers, each ``Name, key: value, ...``."""
    lines = [f"      - {{class_path: datamodules.{r.replace(',', ', init_args: {', 1)}}}}}" for r in readers]
    head = "data:\n  class_path: datamodules.DepthDataModule\n  init_args:\n    train: []\n    val: []\n    test:\n"
    path.write_text(head + "\n".join(lines) + "\n    workers: 0\n")
    return path


@pytest.fixture
def annotated(data_root: Path, tmp_path: Path) -> Path:
    """The YAML of three frames of KITTI's size with annotated depth, in ``<data root>/large``."""
    write_kitti(data_root / "large", sizes=((375, 1242), (376, 1241)))
    for frame in range(3):
        write_annotated(data_root / "large" / DRIVE, frame, (375, 1242))
    return data_yaml(tmp_path / "large.yaml", "KittiRaw, root: large, split: large/val.txt, depth: annotated")


def results(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(path.read_text())["results"]
    return found
