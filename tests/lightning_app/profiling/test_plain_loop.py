"""The plain PyTorch loop does what Lightning's step does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.plugins import Precision

from lightning_app.profiling.plain_loop import bare_step
from lightning_app.training import DepthModule
from losses import SILog
from models import DepthNet


@pytest.mark.parametrize("canonical_focal_px", [None, 20.0])
def test_its_loss_is_that_of_lightnings_step(canonical_focal_px: float | None) -> None:
    torch.manual_seed(0)
    network = DepthNet("mobilenetv4_conv_small", weights="none")
    module = DepthModule(network, SILog(), canonical_focal_px=canonical_focal_px).train()
    trainer: Any = SimpleNamespace(
        estimated_stepping_batches=10,
        precision="32-true",
        precision_plugin=Precision(),
        gradient_clip_val=None,
        datamodule=SimpleNamespace(on_after_batch_transfer=lambda batch, _: batch),
    )
    depth = 1 + 50 * torch.rand(2, 1, 64, 96)
    batch = {
        "image": torch.rand(2, 3, 64, 96),
        "depth": depth,
        "valid": depth > 0,
        "intrinsics": torch.diag(torch.tensor([100.0, 100.0, 1.0])).expand(2, 3, 3),
    }
    plain = bare_step(trainer, module)(batch)
    _, terms = module.supervise(batch)
    assert float(plain) == pytest.approx(float(terms["loss"].detach()), rel=1e-5)
