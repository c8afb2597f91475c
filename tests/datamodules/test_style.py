from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules import Photos, StyleTransfer, VirtualKitti
from datamodules.reader import DamagedFrameError
from models import ImageAdaIN
from tests.datamodules.test_depth_datamodule import module, same


def test_style_changes_the_look_of_synthetic_frames_alone(data_root: Path) -> None:
    style = StyleTransfer(ImageAdaIN(), Photos("photos"), probability=1.0, strength=(1.0, 1.0))
    data = module(style=style)
    data.setup("fit")
    raw = next(iter(data.train_dataloader()))
    before = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in raw.items()}
    plain = module().on_after_batch_transfer(raw, 0)
    styled = data.on_after_batch_transfer(raw, 0)
    assert same(raw, before)
    synthetic = torch.tensor([domain == "synthetic" for domain in styled["domain"]])
    changed = (styled["image"] != plain["image"]).flatten(1).any(1)
    assert torch.equal(changed, synthetic)
    for key in ("depth", "valid", "intrinsics", "domain", "path"):
        assert same({key: styled[key]}, {key: plain[key]})
    assert same(data.on_after_batch_transfer(raw, 0), styled)


def test_style_probability_and_strength_are_checked() -> None:
    with pytest.raises(ValueError, match=r"probability 1\.5 is not in"):
        StyleTransfer(ImageAdaIN(), Photos("photos"), probability=1.5)
    with pytest.raises(ValueError, match="not an ascending pair"):
        StyleTransfer(ImageAdaIN(), Photos("photos"), strength=(1.0, 0.5))


def test_evaluation_batches_are_not_stylised(data_root: Path) -> None:
    data = module(style=StyleTransfer(ImageAdaIN(), Photos("photos"), probability=1.0), val=[VirtualKitti("vkitti")])
    data.style.load((64, 96), set())  # type: ignore[union-attr]
    raw = next(iter(data.val_dataloader()))
    assert torch.equal(data.on_after_batch_transfer(raw, 0)["image"], raw["image"].float() / 255)


def test_damaged_style_images_are_refused_or_skipped(data_root: Path) -> None:
    (data_root / "photos" / "a.jpg").write_bytes(b"")
    style = StyleTransfer(ImageAdaIN(), Photos("photos"))
    with pytest.raises(DamagedFrameError, match="damaged image"):
        style.load((64, 96), set())
    style.load((64, 96), set(), damaged="skip")
