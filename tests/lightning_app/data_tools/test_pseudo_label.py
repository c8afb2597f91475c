"""A teacher's labels, and a student that learns from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import DepthDataModule, Photos
from datamodules.depth_io import read_label, write_label
from deploy.inference.teacher import Teacher
from tests.conftest import EXPERIMENTS, SMALLEST, Cli
from tests.deploy.inference.test_teacher import Brightness, foreign


@pytest.mark.slow
def test_labels_are_written_resumed_and_never_mixed(
    exported: Path, data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = ("label", exported.relative_to(tmp_path), "data/photos", "--output", "labels")
    assert cli(*relative, "--shard", "1/2").status == 0
    labels = (tmp_path / "labels").rename(tmp_path / "moved")
    call = ("label", exported, data_root / "photos", "--output", labels)
    first = sorted(labels.glob("*.png"))
    photos = Photos("photos")
    assert 0 < len(first) - 1 < len(photos)  # and the sheet
    times = {path: path.stat().st_mtime_ns for path in first if path.name != "sheet.png"}
    result = cli(*call, "--jobs", 2)
    assert result.status == 0, result.err
    assert f"{len(photos)} labels" in result.out
    assert "(2 cached)" in result.out
    assert {path: path.stat().st_mtime_ns for path in times} == times
    labelled = Photos("photos", labels=str(labels))
    assert len(labelled) == len(photos)
    frame = labelled[0]
    assert frame.inv_depth is not None
    assert frame.inv_depth.shape == frame.image.shape[:2]
    assert (frame.inv_depth.min(), frame.inv_depth.max()) == (pytest.approx(1 / 65535), 1)
    other = cli(*call, "--mirror")
    assert other.status == 2
    assert "moved was made with other settings (mirror false, not true); give another --output" in other.err


def test_a_teacher_that_could_not_label_leaves_the_folder_to_another(
    exported: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    settings = tmp_path / "teacher.yaml"
    settings.write_text("class_path: deploy.inference.Teacher\ninit_args: {predicts: depth}\n")
    call = ("label", foreign(tmp_path / "t.onnx", op="Relu"), data_root / "photos", "--output", tmp_path / "labels")
    result = cli(*call, "--settings", settings)
    assert result.status == 1
    assert "which is not one map with the aspect ratio of the image" in result.err
    other = cli("label", exported, data_root / "photos", "--output", tmp_path / "labels")
    assert other.status == 0, other.err


def test_a_label_keeps_its_order_in_16_bits(tmp_path: Path) -> None:
    values = np.linspace(-3, 8, 1000, dtype=np.float32).reshape(20, 50)
    write_label(tmp_path / "l.png", values)
    read = read_label(tmp_path / "l.png")
    assert (np.diff(read.ravel()) > 0).all()
    np.testing.assert_allclose(read, (values + 3) / 11, atol=3e-5)
    write_label(tmp_path / "flat.png", np.zeros((4, 4), np.float32))
    assert (read_label(tmp_path / "flat.png") > 0).all()


def test_a_corrupt_photograph_is_refused_or_skipped(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    broken = sorted((data_root / "photos").glob("*"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    call = ("label", exported, data_root / "photos", "--output", tmp_path / "labels")
    result = cli(*call)
    assert result.status == 1
    assert f"{broken}: corrupt image" in result.err
    result = cli(*call, "--skip-corrupt")
    assert result.status == 0
    assert "1 corrupt images skipped" in result.out
    assert not (tmp_path / "labels" / f"{broken.name}.png").exists()


def student(cli: Cli, *arguments: object) -> tuple[int, str]:
    chain = ("-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "paper_distill.yaml")
    smallest = [part for part in SMALLEST if part not in ("--model.network.weights", "none", "[64,96]")]
    smallest.insert(smallest.index("--data.size") + 1, "[64,128]")
    readers = [
        *("--data.val.split", "kitti/val.txt", "--data.test.split", "kitti/test.txt"),
        *("--trainer.default_root_dir", "runs"),
    ]
    result = cli("fit", *chain, *smallest, *readers, *arguments)
    return result.status, result.err


@pytest.mark.slow
def test_the_papers_recipe_learns_from_labels_and_on_the_fly(
    exported: Path, data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = data_root / "photos_labels"
    assert cli("label", exported, data_root / "photos", "--output", labels).status == 0
    status, err = student(cli)
    assert status == 0, err
    assert (tmp_path / "runs" / "panels" / "val-000002.png").is_file()
    result = cli(
        "evaluate", "runs/checkpoints/last.ckpt", "--data", "runs/config.yaml", "--protocol", "kitti-eigen-metric"
    )
    assert result.status == 2
    assert "needs depth in metres, but the predictions are inverse_depth" in result.err
    onnx_file = tmp_path / "s.onnx"
    assert cli("export", "runs/checkpoints/last.ckpt", "--output", onnx_file).status == 0
    assert cli("predict", onnx_file, data_root / "photos", "--output", tmp_path / "p").status == 0
    shutil.rmtree(tmp_path / "runs")
    shutil.rmtree(labels)
    settings = tmp_path / "teacher.yaml"
    settings.write_text("class_path: deploy.inference.Teacher\ninit_args: {size: [64, 96], predicts: inverse_depth}\n")
    file = foreign(tmp_path / "t.onnx")
    unlabelled = "[{class_path: datamodules.Photos, init_args: {root: photos, labels: null}}]"
    on_the_fly = ("--data.train", unlabelled, "--data.teacher", settings, "--data.teacher.file", file)
    status, err = student(cli, *on_the_fly)
    assert status == 0, err


def test_frames_with_depth_stand_beside_labelled_ones(data_root: Path, tmp_path: Path) -> None:
    """In one batch: the inverse of their depth, or the teacher's word for it."""
    from datamodules import VirtualKitti

    torch.save(Brightness().state_dict(), tmp_path / "t.pt")
    teacher = Teacher(str(tmp_path / "t.pt"), network=Brightness(), size=(64, 96))
    readers = [VirtualKitti("vkitti"), Photos("photos")]
    data = DepthDataModule(readers, [], [], [0.5, 0.5], (64, 96), 4, workers=0, teacher=teacher)
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    for index, domain in enumerate(batch["domain"]):
        inverse, depth = batch["inv_depth"][index], batch["depth"][index]
        if domain == "synthetic":
            torch.testing.assert_close(inverse, torch.where(depth > 0, 1 / depth, 0))
        else:
            torch.testing.assert_close(inverse, teacher(batch["image"][index : index + 1])[0])


def test_wrong_use_ends_in_one_line(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    photos, labels = data_root / "photos", tmp_path / "labels"
    (tmp_path / "bad.yaml").write_text("class_path: deploy.inference.Teacher\ninit_args: {sizes: [64, 96]}\n")
    (tmp_path / "none.yaml").write_text("size: [64, 96]\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    for arguments, message in (
        (
            (exported, photos, "--output", photos / "labels"),
            "labels inside the folder of photographs would be read as photographs",
        ),
        ((exported, photos, "--output", tmp_path / "full"), "thesis.tex exists already, and"),
        ((exported, photos, "--output", labels, "--shard", "3/2"), "shard '3/2' must be PART/PARTS"),
        ((exported, photos, "--output", labels, "--settings", tmp_path / "bad.yaml"), "sizes"),
        (
            (exported, photos, "--output", labels, "--settings", tmp_path / "none.yaml"),
            "has no class_path and init_args",
        ),
        ((exported, photos, "--output", labels, "--settings", tmp_path / "no.yaml"), "no such YAML"),
        ((tmp_path / "no.onnx", photos, "--output", labels), "no such model"),
        ((exported, tmp_path / "nothing", "--output", labels), "no such folder"),
    ):
        result = cli("label", *arguments)
        assert result.status == 2, arguments
        assert message in result.err
        assert result.err.count("\n") == 1
        assert not labels.exists()


def test_shipped_settings_fit_files_of_their_kind(tmp_path: Path, data_root: Path, cli: Cli) -> None:
    for name, size, output in (
        ("midas_small", (256, 256), ("n", "h", "w")),
        ("depth_anything_v2", ("h", "w"), ("n", "h", "w")),
    ):
        file = foreign(tmp_path / f"{name}.onnx", size, output)
        settings = EXPERIMENTS / "teachers" / f"{name}.yaml"
        result = cli("label", file, data_root / "photos", "--settings", settings, "--output", tmp_path / name)
        assert result.status == 0, result.err
