from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from datamodules import (
    Augmentation,
    DepthDataModule,
    KittiRaw,
    Make3D,
    NyuLabeled,
    Reader,
    SevenScenes,
    StyleTransfer,
    TumRgbd,
    VirtualKitti,
    VirtualKitti1,
)
from datamodules.reader import CorruptFrameError
from datamodules.sampler import batch_counts
from models import ImageAdaIN
from tests.helpers.fake_data import (
    DRIVE,
    write_annotated,
    write_kitti,
    write_make3d,
    write_nyu_labeled,
    write_seven_scenes,
    write_tum,
    write_vkitti1,
)


def module(**changes: Any) -> DepthDataModule:
    arguments: dict[str, Any] = {
        "train": [VirtualKitti("vkitti"), KittiRaw("kitti", "kitti/test.txt")],
        "val": [KittiRaw("kitti", "kitti/val.txt", depth="forward_x")],
        "test": [],
        "proportions": [0.75, 0.25],
        "size": (64, 96),
        "batch_size": 4,
        "workers": 0,
    }
    return DepthDataModule(**(arguments | changes))


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return one.keys() == two.keys() and all(
        torch.equal(value, two[key]) if isinstance(value, torch.Tensor) else value == two[key]
        for key, value in one.items()
    )


def test_workers_are_interchangeable(data_root: Path) -> None:
    alone, two = (list(module(workers=workers).train_dataloader()) for workers in (0, 2))
    assert len(alone) == 15 // 4
    assert all(same(a, b) for a, b in zip(alone, two, strict=True))


def test_sample_keeps_the_contract(data_root: Path) -> None:
    data = module()
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch["image"].shape == (4, 3, 64, 96)
    assert batch["image"].dtype == torch.float32
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert batch["depth"].shape == batch["valid"].shape == (4, 1, 64, 96)
    assert torch.equal(batch["valid"], batch["depth"] > 0)
    assert batch["intrinsics"].shape == (4, 3, 3)
    assert batch["domain"] == ["synthetic"] * 3 + ["real"]


def test_truths_of_several_sizes_are_padded(data_root: Path) -> None:
    readers = [KittiRaw("kitti", f"kitti/{split}.txt", depth="forward_x") for split in ("val", "test")]
    loader: DataLoader[Any] = module(test=readers, batch_size=6).test_dataloader()
    (batch,) = list(loader)
    assert batch["full_depth"].shape == (6, 1, 75, 124)
    assert batch["full_size"].tolist() == [[75, 124]] * 3 + [[74, 122]] * 3
    for index, frame in enumerate([*readers[0], *readers[1]]):
        height, width = frame.depth.shape
        np.testing.assert_array_equal(batch["full_depth"][index, 0, :height, :width].numpy(), frame.depth)
        assert batch["full_depth"][index].sum() == pytest.approx(float(frame.depth.sum()))


def test_corrupt_frame_is_refused_or_skipped(data_root: Path) -> None:
    synthetic: dict[str, Any] = {"train": [VirtualKitti("vkitti")], "proportions": None}
    image = VirtualKitti("vkitti").paths[0]
    image.write_bytes(b"")
    with pytest.raises(CorruptFrameError, match="corrupt image"):
        list(module(**synthetic).train_dataloader())
    skipping = module(on_corrupt="skip", test=[VirtualKitti("vkitti")], **synthetic)
    assert all(str(image) not in batch["path"] for batch in skipping.train_dataloader())
    batches = list(skipping.test_dataloader())
    missing = [
        path for batch in batches for path, depth in zip(batch["path"], batch["depth"], strict=True) if not depth.any()
    ]
    assert missing == [str(image)]


def test_leaks_are_refused(data_root: Path) -> None:
    reader = KittiRaw("kitti", "kitti/val.txt")
    for splits in ({"val": [reader]}, {"val": [], "test": [reader]}):
        with pytest.raises(ValueError, match="3 training frames are also validation or test frames"):
            module(train=[reader], proportions=None, **splits).setup("fit")
    with pytest.raises(ValueError, match="3 validation frames are also test frames"):
        module(test=[KittiRaw("kitti", "kitti/val.txt", depth="camera_z")]).setup("fit")
    module(test=[KittiRaw("not_on_this_machine", "list.txt")]).setup("fit")
    style = StyleTransfer(ImageAdaIN(), KittiRaw("kitti", "kitti/val.txt", depth="none"))
    with pytest.raises(ValueError, match="3 style images are frames of the evaluation split"):
        module(style=style).setup("fit")


def test_scenes_that_two_splits_share_are_refused_or_reported(
    data_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No frame is in both, but the street is the same; a published list that does so can be used with a warning."""
    train = VirtualKitti("vkitti", variations=["clone"])
    for seen in (VirtualKitti("vkitti", ["Scene01"], ["fog"]), VirtualKitti(str(data_root / "vkitti"), None, ["fog"])):
        for evaluated in ({"val": [seen]}, {"val": [], "test": [seen]}):
            with pytest.raises(ValueError, match=r"scenes are trained on and evaluated on, .*Scene01: split by scene"):
                module(train=[train], proportions=None, **evaluated).setup("fit")
    for name, frame in (("a", 0), ("b", 2)):
        (data_root / f"{name}.txt").write_text(f"{DRIVE} {frame} l")
    splits: dict[str, Any] = {
        "train": [KittiRaw("kitti", "a.txt")],
        "val": [KittiRaw("kitti", "b.txt")],
        "proportions": None,
    }
    with pytest.raises(ValueError, match=r"1 scenes .* or allow it with shared_scenes: warn"):
        module(**splits).setup("fit")
    module(shared_scenes="warn", **splits).setup("fit")
    assert f"1 scenes are trained on and evaluated on, e.g. {Path(DRIVE).name}:" in caplog.text


def test_empty_splits_are_refused(data_root: Path) -> None:
    with pytest.raises(ValueError, match="the data section names no reader under train"):
        module(train=[], proportions=None).setup("fit")
    with pytest.raises(ValueError, match="names no reader under test"):
        module().setup("test")
    (data_root / "kitti" / "val.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"val\.txt: the split file is empty"):
        module().setup("validate")


def test_depth_coarser_than_its_images_is_not_trained_on(data_root: Path) -> None:
    write_make3d(data_root / "make3d")
    with pytest.raises(ValueError, match=r"Make3D make3d has a coarse laser grid .* for evaluation only"):
        module(train=[Make3D("make3d")], proportions=None).setup("fit")


def test_views_of_a_frame_that_protocols_ask_for(data_root: Path) -> None:
    """Each frame once in each view of its truth, and the KB crop is what the network sees of it."""
    write_kitti(data_root / "large", sizes=((375, 1242), (376, 1241)))
    for frame in range(3):
        write_annotated(data_root / "large" / DRIVE, frame, (375, 1242))
    reader = KittiRaw("large", "large/val.txt", depth="annotated")
    data = module(test=[reader], size=(352, 1216))
    data.set_evaluation_views({"annotated": ["full", "kb"]})
    samples = [
        (view, path, image, depth, box)
        for batch in data.test_dataloader()
        for view, path, image, depth, box in zip(
            batch["view"], batch["path"], batch["image"], batch["full_depth"], batch["box"].tolist(), strict=True
        )
    ]
    assert [(view, path) for view, path, *_ in samples] == [
        (view, str(path)) for path in reader.paths for view in ("full", "kb")
    ]
    for number, (view, _, image, depth, box) in enumerate(samples):
        whole = reader[number // 2]
        np.testing.assert_array_equal(depth[0].numpy(), whole.depth)
        assert box == ([0, 375, 0, 1242] if view == "full" else [23, 375, 13, 1229])
        if view == "kb":
            np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), whole.image[23:, 13:1229])
    data.set_evaluation_views({"annotated": ["kb"], "lidar_x": ["full"]})
    assert sum(len(batch["path"]) for batch in data.test_dataloader()) == 3


def test_an_evaluation_loader_takes_size_views_and_batch_size(data_root: Path) -> None:
    """The arguments hold for one loader; without them it has the module's size and batch size, and full frames."""
    readers = [VirtualKitti("vkitti"), KittiRaw("kitti", "kitti/val.txt", depth="forward_x")]
    data = module(batch_size=2)
    (batch,) = data.evaluation_dataloader(readers, size=(32, 48), views={"lidar_x": ["full"]}, batch_size=3)
    assert batch["image"].shape == (3, 3, 32, 48)
    assert batch["path"] == [str(path) for path in readers[1].paths]
    default = list(data.evaluation_dataloader(readers))
    assert default[0]["image"].shape == (2, 3, 64, 96)
    assert sum(len(batch["path"]) for batch in default) == len(readers[0]) + len(readers[1])


def test_every_data_set_mixes_with_every_other(data_root: Path) -> None:
    """Frames of all sizes, of all readers with depth of the frame's size, in one batch of given shares."""
    write_nyu_labeled(data_root / "nyu")
    write_tum(data_root / "tum")
    write_seven_scenes(data_root / "seven")
    write_vkitti1(data_root / "old")
    readers: list[Reader] = [
        VirtualKitti("vkitti"),
        VirtualKitti1("old"),
        KittiRaw("kitti", "kitti/val.txt"),
        NyuLabeled("nyu", "train"),
        TumRgbd("tum"),
        SevenScenes("seven", split="train"),
    ]
    data = module(train=readers, val=[], proportions=[3, 1, 1, 1, 1, 1], batch_size=8, workers=2)
    for batch in data.train_dataloader():
        assert batch["domain"] == ["synthetic"] * 4 + ["real"] * 4
        assert batch["image"].shape == (8, 3, 64, 96)
        assert batch["depth"].flatten(1).any(1).all()


def test_wrong_proportions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 training readers but 1 proportions"):
        module(proportions=[1.0])
    with pytest.raises(ValueError, match="must be positive"):
        batch_counts([1.0, -1.0], 4)
    with pytest.raises(ValueError, match=r"zoom 0\.5 >= 1"):
        Augmentation(zoom=0.5)
