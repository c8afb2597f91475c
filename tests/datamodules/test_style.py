from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from datamodules import KittiRaw, Photos, StyleTransfer, VirtualKitti
from datamodules.reader import CorruptFrameError
from datamodules.style import read_bank
from models import AdaIN, FourierAdaptation, HistogramMatching, ImageAdaIN
from tests.datamodules.test_depth_datamodule import module, same
from tests.models.test_image_style import adain


def write_bank(path: Path, network: nn.Module) -> str:
    bank = StyleTransfer(network, Photos("photos")).gather((64, 96), set(), "raise")
    with path.open("wb") as file:
        bank.write(file)
    return str(path)


@pytest.mark.parametrize(
    "network",
    [ImageAdaIN(), HistogramMatching(), FourierAdaptation(), adain()],
    ids=lambda n: type(n).__name__,
)
@pytest.mark.parametrize("size", [(64, 96), (75, 93)])
def test_style_changes_the_look_of_synthetic_frames_alone(
    network: nn.Module, size: tuple[int, int], data_root: Path
) -> None:
    style = StyleTransfer(network, Photos("photos"), probability=1.0, strength=(1.0, 1.0))
    data = module(style=style, size=size)
    data.setup("fit")
    raw = next(iter(data.train_dataloader()))
    before = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in raw.items()}
    plain = module(size=size).on_after_batch_transfer(raw, 0)
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
    style = StyleTransfer(ImageAdaIN(), Photos("photos"), probability=1.0)
    data = module(style=style, val=[VirtualKitti("vkitti")])
    style.load((64, 96), set())
    raw = next(iter(data.val_dataloader()))
    assert torch.equal(data.on_after_batch_transfer(raw, 0)["image"], raw["image"].float() / 255)


def test_corrupt_style_images_are_refused_or_skipped(data_root: Path) -> None:
    (data_root / "photos" / "a.jpg").write_bytes(b"")
    style = StyleTransfer(ImageAdaIN(), Photos("photos"))
    with pytest.raises(CorruptFrameError, match="corrupt image"):
        style.load((64, 96), set())
    style.load((64, 96), set(), on_corrupt="skip")


def test_a_bank_gives_what_its_images_give(data_root: Path, tmp_path: Path) -> None:
    path = write_bank(tmp_path / "bank.npz", ImageAdaIN())
    from_images = module(style=StyleTransfer(ImageAdaIN(), Photos("photos")))
    raw = next(iter(from_images.train_dataloader()))
    from_images.setup("fit")
    expected = from_images.on_after_batch_transfer(raw, 0)
    for file in (data_root / "photos").rglob("*.*"):
        file.unlink()
    from_bank = module(style=StyleTransfer(ImageAdaIN(), bank=path))
    from_bank.setup("fit")
    assert same(from_bank.on_after_batch_transfer(raw, 0), expected)
    assert read_bank(Path(path)).sources == ["photos/a.jpg", "photos/b.png", "photos/more/c.jpeg"]


def test_a_bank_that_does_not_fit_is_refused(data_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bank = write_bank(tmp_path / "bank.npz", adain("mobilenetv2_100"))
    for other in (adain("mobilenetv2_100"), adain("resnet18"), ImageAdaIN()):
        with pytest.raises(
            ValueError, match=r"the bank was made with AdaIN on mobilenetv2_100 at stride 4, weights .*, but the"
        ):
            StyleTransfer(other, bank=bank).load((64, 96), set())
    (tmp_path / "broken.npz").write_bytes(Path(bank).read_bytes()[:300])
    with pytest.raises(ValueError, match=r"broken\.npz: not a style bank, or corrupt"):
        StyleTransfer(ImageAdaIN(), bank=str(tmp_path / "broken.npz")).load((64, 96), set())
    with pytest.raises(FileNotFoundError, match="no such style bank"):
        StyleTransfer(ImageAdaIN(), bank="nowhere.npz").load((64, 96), set())
    StyleTransfer(ImageAdaIN(), bank=write_bank(tmp_path / "small.npz", ImageAdaIN())).load((96, 320), set())
    assert "made at 64x96, but the frames are 96x320" in caplog.text


def test_evaluated_frames_lend_no_style(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated = KittiRaw("kitti", "kitti/val.txt", depth="none")
    frames = {path.resolve() for path in evaluated.paths}
    style = StyleTransfer(ImageAdaIN(), evaluated)
    with pytest.raises(ValueError, match="3 style images are frames of the evaluation split"):
        style.load((64, 96), frames)
    with (tmp_path / "bank.npz").open("wb") as file:
        style.gather((64, 96), set(), "raise").write(file)
    moved = data_root.rename(tmp_path / "moved")  # a bank knows its images wherever the data stands
    monkeypatch.setenv("POCKETDEPTH_DATA", str(moved))
    with pytest.raises(ValueError, match="3 style images are frames of the evaluation split"):
        module(style=StyleTransfer(ImageAdaIN(), bank=str(tmp_path / "bank.npz"))).setup("fit")


def test_style_images_without_a_look_are_refused_or_skipped(data_root: Path) -> None:
    photos = data_root / "photos"
    style = StyleTransfer(ImageAdaIN(), Photos("photos"))
    Image.open(photos / "a.jpg").convert("L").save(photos / "a.jpg")
    with pytest.raises(CorruptFrameError, match=r"a\.jpg: the style image is greyscale and would remove the colours"):
        style.load((64, 96), set())
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(photos / "a.jpg")
    with pytest.raises(CorruptFrameError, match=r"a\.jpg: 20x20 is too small for a style image"):
        style.load((64, 96), set())
    style.load((64, 96), set(), on_corrupt="skip")
    (photos / "b.png").unlink()
    with pytest.raises(CorruptFrameError, match="Photos photos: 1 usable style images"):
        StyleTransfer(ImageAdaIN(), Photos("photos")).load((64, 96), set(), on_corrupt="skip")


def test_a_stylizer_of_random_weights_is_refused(data_root: Path) -> None:
    with pytest.raises(ValueError, match="AdaIN has random weights"):
        StyleTransfer(AdaIN(weights="none"), Photos("photos")).load((64, 96), set())


def test_neither_images_nor_bank_is_refused() -> None:
    with pytest.raises(ValueError, match="needs images or a bank"):
        StyleTransfer(ImageAdaIN())
