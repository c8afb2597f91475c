"""Panels of depth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from lightning_app.callbacks import Panels
from lightning_app.colormap import colour_depth
from lightning_app.training import DepthModule
from losses import SILog


class Wall(torch.nn.Module):
    """A wall at 10 canonical metres at the left, and at 5 at the right."""

    predicts = "depth"

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        depth = torch.full_like(image[:, :1], 10.0)
        depth[..., image.shape[-1] // 2 :] = 5
        return (depth,)

    def forward(self, image: Tensor) -> Tensor:
        return self.multiscale(image)[0]

    def check_size(self, size: tuple[int, int]) -> None:
        pass

    def load_pretrained(self) -> None:
        pass


def test_depth_is_drawn_in_metres_of_the_real_camera() -> None:
    """With a focal length of 4 times the canonical camera's, 10 canonical metres are 40 metres."""
    module = DepthModule(Wall(), SILog(), canonical_focal_px=25.0)
    module.trainer = SimpleNamespace(is_global_zero=True)  # type: ignore[assignment]
    truth = torch.full((1, 1, 32, 48), 40.0)
    truth[..., 24:] = 20
    batch = {"image": torch.rand(1, 3, 32, 48), "depth": truth, "intrinsics": torch.diag(torch.tensor([100.0, 100, 1]))}
    panels = Panels()
    panels._collect(module, batch | {"intrinsics": batch["intrinsics"][None]}, 1.0)
    (row,) = panels._rows
    _, prediction, shown, error = np.split(row, 4, axis=1)
    np.testing.assert_array_equal(prediction, colour_depth(truth[0, 0].numpy(), 20.0, 40.0))
    np.testing.assert_array_equal(prediction, shown)
    assert not error.any()


def test_frames_are_spread_over_the_evaluation() -> None:
    module = DepthModule(Wall(), SILog())
    module.trainer = SimpleNamespace(is_global_zero=True)  # type: ignore[assignment]
    for sizes, expected in (
        ((8, 8, 8), [0, 4, 8, 16]),
        ((1, 1), [0, 1]),
        ((2,) * 12, [0, 6, 12, 18]),
        ((3,), [0, 1, 2]),
    ):
        panels, place = Panels(), 0
        for index, size in enumerate(sizes):
            image = torch.arange(place, place + size).view(-1, 1, 1, 1).expand(size, 3, 32, 48) / 255
            batch = {
                "image": image,
                "depth": torch.ones(size, 1, 32, 48),
                "intrinsics": torch.eye(3).repeat(size, 1, 1),
            }
            panels._collect(module, batch, (index + 1) / len(sizes))
            place += size
        drawn = [int(row[0, 0, 0]) for row in panels._rows]
        assert drawn == expected, sizes
