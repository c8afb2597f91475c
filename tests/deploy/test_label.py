"""A teacher's labels, and a student that learns from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from datamodules import DepthDataModule, Photos
from datamodules.depth_io import read_label, write_label
from deploy import load
from deploy.teacher import Teacher
from tests.conftest import EXPERIMENTS, SMALLEST, Cli

Shape = tuple[int | str, ...]


def foreign(path: Path, size: Shape = (64, 96), output: Shape = ("n", 1, "h", "w"), op: str = "ReduceMean") -> Path:
    """An ONNX file that knows nothing of us: the mean of the channels, or another op, of an image."""
    keeps = int(len(output) == 4)
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    node = helper.make_node(op, ["x", "axes"], ["y"], keepdims=keeps) if op == "ReduceMean" else None
    node = node or helper.make_node(op, ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "teacher",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(output))],
        [axes] if op == "ReduceMean" else [],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


class Brightness(nn.Module):
    """A torch network that has no file format of its own."""

    predicts = "inverse_depth"

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.weight * image.mean(1)


def spread(values: torch.Tensor) -> torch.Tensor:
    return (values - values.min()) / (values.max() - values.min())


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("output", [("n", 1, "h", "w"), ("n", "h", "w")])
@pytest.mark.parametrize("size", [(64, 96), ("h", "w")])
def test_a_foreign_file_is_asked_as_its_settings_say(
    tmp_path: Path, image: torch.Tensor, size: Shape, output: Shape
) -> None:
    file = foreign(tmp_path / "t.onnx", size, output)
    teacher = Teacher(str(file), size=(64, 96), mean=[0.5, 0, 0], std=[2, 1, 1], predicts="inverse_depth")
    expected = spread(
        ((image - torch.tensor([0.5, 0, 0]).view(3, 1, 1)) / torch.tensor([2, 1, 1]).view(3, 1, 1)).mean(1)
    )
    torch.testing.assert_close(teacher(image)[0], expected.clamp_min(2**-16))
    depth = Teacher(str(file), size=(64, 96), predicts="depth")
    torch.testing.assert_close(depth(image)[0], spread(1 / image.mean(1)).clamp_min(2**-16))


def test_mirror_and_scales_are_averaged(tmp_path: Path, image: torch.Tensor) -> None:
    torch.save(Brightness().state_dict(), tmp_path / "t.pt")
    arguments = {"file": str(tmp_path / "t.pt"), "network": Brightness(), "size": (64, 96)}
    plain, mirrored = Teacher(**arguments), Teacher(**arguments, mirror=True)  # type: ignore[arg-type]
    torch.testing.assert_close(mirrored(image), plain(image))  # brightness is the same in a mirror
    several = Teacher(**arguments, scales=[1, 2])(image)  # type: ignore[arg-type]
    assert several.shape == image[:, :1].shape
    assert (several != plain(image)).any()
    assert np.corrcoef(several.flatten(), plain(image).flatten())[0, 1] > 0.9


def test_own_files_say_all_themselves(exported: Path, fitted: Path, image: torch.Tensor) -> None:
    depth = load(exported)((image[0] * 255).byte().permute(1, 2, 0).numpy())
    exact = (image * 255).byte() / 255
    for file in (exported, fitted / "checkpoints" / "last.ckpt"):
        label = Teacher(str(file))(exact)[0, 0]
        torch.testing.assert_close(label, spread(torch.from_numpy(1 / depth)).clamp_min(2**-16), atol=2e-3, rtol=0)


def test_labels_are_written_resumed_and_never_mixed(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    labels = tmp_path / "labels"
    call = ("label", exported, data_root / "photos", "--output", labels)
    assert cli(*call, "--shard", "1/2").status == 0
    first = sorted(labels.glob("*.png"))
    photos = Photos("photos")
    assert 0 < len(first) - 1 < len(photos)  # and the sheet
    times = {path: path.stat().st_mtime_ns for path in first if path.name != "sheet.png"}
    result = cli(*call, "--jobs", 2)
    assert result.status == 0, result.err
    assert f"{len(photos)} labels" in result.out
    assert "were there" in result.out
    assert {path: path.stat().st_mtime_ns for path in times} == times
    labelled = Photos("photos", labels=str(labels))
    assert len(labelled) == len(photos)
    frame = labelled[0]
    assert frame.inv_depth is not None
    assert frame.inv_depth.shape == frame.image.shape[:2]
    assert (frame.inv_depth.min(), frame.inv_depth.max()) == (pytest.approx(1 / 65535), 1)
    other = cli(*call, "--mirror")
    assert other.status == 2
    assert "holds labels of another teacher, or of other settings" in other.err


def test_a_label_keeps_its_order_in_16_bits(tmp_path: Path) -> None:
    values = np.linspace(-3, 8, 1000, dtype=np.float32).reshape(20, 50)
    write_label(tmp_path / "l.png", values)
    read = read_label(tmp_path / "l.png")
    assert (np.diff(read.ravel()) > 0).all()
    np.testing.assert_allclose(read, (values + 3) / 11, atol=3e-5)
    write_label(tmp_path / "flat.png", np.zeros((4, 4), np.float32))
    assert (read_label(tmp_path / "flat.png") > 0).all()


def test_a_damaged_photograph_is_refused_or_skipped(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    broken = sorted((data_root / "photos").glob("*"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    call = ("label", exported, data_root / "photos", "--output", tmp_path / "labels")
    result = cli(*call)
    assert result.status == 1
    assert f"{broken}: damaged image" in result.err
    result = cli(*call, "--skip-damaged")
    assert result.status == 0
    assert "1 damaged ones skipped" in result.out
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
    assert "needs metres, but this network predicts inverse_depth" in result.err
    onnx_file = tmp_path / "s.onnx"
    assert cli("export", "runs/checkpoints/last.ckpt", "--output", onnx_file).status == 0
    assert cli("predict", onnx_file, data_root / "photos", "--output", tmp_path / "p").status == 0
    shutil.rmtree(tmp_path / "runs")
    shutil.rmtree(labels)
    settings = tmp_path / "teacher.yaml"
    settings.write_text("class_path: deploy.teacher.Teacher\ninit_args: {size: [64, 96], predicts: inverse_depth}\n")
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "does not say whether it predicts depth or inverse depth"),
        ({"predicts": "inverse_depth", "size": (32, 32)}, "takes 64x96 .height x width., its settings say 32x32"),
        ({"predicts": "inverse_depth", "scales": (1, 2)}, "takes 64x96 alone; scales need a checkpoint"),
        ({"predicts": "inverse_depth", "scales": ()}, "must be above 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Teacher(str(foreign(tmp_path / "t.onnx")), **arguments)  # type: ignore[arg-type]


def test_a_teacher_of_another_kind_is_refused(tmp_path: Path, image: torch.Tensor) -> None:
    size = (64, 96)
    with pytest.raises(ValueError, match="takes images of any size; say which"):
        Teacher(str(foreign(tmp_path / "a.onnx", ("h", "w"))), predicts="depth")
    with pytest.raises(RuntimeError, match=r"gives \(1, 3, 64, 96\) for an image of 64x96, not one map of its shape"):
        Teacher(str(foreign(tmp_path / "b.onnx", op="Relu")), predicts="depth")(image)
    with pytest.raises(RuntimeError, match="gives values that are not finite"):
        Teacher(str(foreign(tmp_path / "c.onnx")), predicts="depth")(image * torch.nan)
    with pytest.raises(RuntimeError, match="gives values that are not positive"):
        Teacher(str(foreign(tmp_path / "d.onnx")), predicts="depth", mean=[2, 2, 2])(image)
    torch.save({"other": torch.ones(2)}, tmp_path / "e.pt")
    with pytest.raises(ValueError, match="no weights of Brightness"):
        Teacher(str(tmp_path / "e.pt"), network=Brightness(), size=size)
    with pytest.raises(ValueError, match="a teacher is a checkpoint"):
        Teacher(str(tmp_path / "e.pt"))


def test_wrong_use_ends_in_one_line(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    photos, labels = data_root / "photos", tmp_path / "labels"
    (tmp_path / "bad.yaml").write_text("class_path: deploy.teacher.Teacher\ninit_args: {sizes: [64, 96]}\n")
    (tmp_path / "none.yaml").write_text("size: [64, 96]\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    for arguments, message in (
        (
            (exported, photos, "--output", photos / "labels"),
            "labels among the photographs would be taken for photographs",
        ),
        ((exported, photos, "--output", tmp_path / "full"), "thesis.tex is there already and no label"),
        ((exported, photos, "--output", labels, "--shard", "3/2"), "shard '3/2' is not a part of so many"),
        ((exported, photos, "--output", labels, "--settings", tmp_path / "bad.yaml"), "sizes"),
        (
            (exported, photos, "--output", labels, "--settings", tmp_path / "none.yaml"),
            "says no class_path and init_args",
        ),
        ((exported, photos, "--output", labels, "--settings", tmp_path / "no.yaml"), "no such YAML"),
        ((tmp_path / "no.onnx", photos, "--output", labels), "no such teacher"),
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
