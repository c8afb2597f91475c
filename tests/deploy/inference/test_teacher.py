"""Any network as a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from deploy import load
from deploy.inference.teacher import Teacher

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
    own: dict[str, Any] = {"file": str(tmp_path / "t.pt"), "network": Brightness(), "size": (64, 96)}
    plain, mirrored = Teacher(**own), Teacher(**own, mirror=True)
    torch.testing.assert_close(mirrored(image), plain(image))  # brightness is the same in a mirror
    several = Teacher(**own, scales=[1, 2])(image)
    assert several.shape == image[:, :1].shape
    assert (several != plain(image)).any()
    assert np.corrcoef(several.flatten(), plain(image).flatten())[0, 1] > 0.9


def test_own_files_say_all_themselves(exported: Path, fitted: Path, image: torch.Tensor) -> None:
    depth = load(exported)((image[0] * 255).byte().permute(1, 2, 0).numpy())
    exact = (image * 255).byte() / 255
    for file in (exported, fitted / "checkpoints" / "last.ckpt"):
        label = Teacher(str(file))(exact)[0, 0]
        torch.testing.assert_close(label, spread(torch.from_numpy(1 / depth)).clamp_min(2**-16), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "has no metadata about its output; set predicts"),
        ({"predicts": "inverse_depth", "size": (32, 32)}, "its input size is 64x96 .height x width., not 32x32"),
        (
            {"predicts": "inverse_depth", "scales": (1, 2)},
            "its input size is fixed; use a checkpoint, or leave out scales",
        ),
        ({"predicts": "inverse_depth", "scales": ()}, r"must be in \(0, 8\]"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Teacher(str(foreign(tmp_path / "t.onnx")), **arguments)


def test_a_teacher_of_another_kind_is_refused(tmp_path: Path, image: torch.Tensor) -> None:
    size = (64, 96)
    with pytest.raises(ValueError, match="has no fixed input size; set size"):
        Teacher(str(foreign(tmp_path / "a.onnx", ("h", "w"))), predicts="depth")
    with pytest.raises(RuntimeError, match=r"for an image of 64x96 has shape \(1, 3, 64, 96\), which is not one map"):
        Teacher(str(foreign(tmp_path / "b.onnx", op="Relu")), predicts="depth")(image)
    with pytest.raises(RuntimeError, match="its output contains values that are not finite"):
        Teacher(str(foreign(tmp_path / "c.onnx")), predicts="depth")(image * torch.nan)
    with pytest.raises(RuntimeError, match="its output contains values that are not positive"):
        Teacher(str(foreign(tmp_path / "d.onnx")), predicts="depth", mean=[2, 2, 2])(image)
    torch.save({"other": torch.ones(2)}, tmp_path / "e.pt")
    with pytest.raises(ValueError, match="not a state dict of Brightness"):
        Teacher(str(tmp_path / "e.pt"), network=Brightness(), size=size)
    with pytest.raises(ValueError, match="a teacher is a checkpoint"):
        Teacher(str(tmp_path / "e.pt"))
