from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules import depth_io as io


@pytest.mark.parametrize(
    ("write", "read", "step", "far"),
    [
        (io.write_vkitti_depth, io.read_vkitti_depth, 0.01, 655.35),
        (io.write_kitti_depth, io.read_kitti_depth, 1 / 256, 255.99),
        (io.write_millimetres, io.read_millimetres, 0.001, 65.535),
        (io.write_tum_depth, io.read_tum_depth, 1 / 5000, 13.107),
    ],
)
def test_every_encoding_survives_a_round_trip(
    tmp_path: Path, write: Callable[..., None], read: Callable[..., Any], step: float, far: float
) -> None:
    depth = np.random.default_rng(0).uniform(0.3, far, (20, 30)).astype(np.float32)
    depth[3, 4] = 0
    write(tmp_path / "d.png", depth)
    np.testing.assert_allclose(read(tmp_path / "d.png"), depth, atol=step / 2 + far * 1e-7)
    again = read(tmp_path / "d.png")
    write(tmp_path / "e.png", again)
    np.testing.assert_array_equal(read(tmp_path / "e.png"), again)
    assert again[3, 4] == 0
