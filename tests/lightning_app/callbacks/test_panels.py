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
    panels._collect(module, batch | {"intrinsics": batch["intrinsics"][None]})
    (row,) = panels._rows
    _, prediction, shown, error = np.split(row, 4, axis=1)
    np.testing.assert_array_equal(prediction, colour_depth(truth[0, 0].numpy(), 20.0, 40.0))
    np.testing.assert_array_equal(prediction, shown)
    assert not error.any()
