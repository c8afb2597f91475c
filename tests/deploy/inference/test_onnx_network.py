"""ONNX files that are not ours, or not whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deploy import load
from deploy.inference.onnx_network import OnnxNetwork
from tests.conftest import Cli
from tests.deploy.inference.test_teacher import foreign
from tests.helpers.fake_data import picture


@pytest.mark.parametrize("output", [("n", 1, "h", "w"), (1, 1, 64, 96), (1, 64, 96), ("n", "h", "w")])
def test_a_foreign_file_runs_and_says_once_what_is_assumed(
    tmp_path: Path, output: tuple[int | str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign(tmp_path / "foreign.onnx", output=output)
    image = picture(0, (64, 96))
    for _ in range(2):
        np.testing.assert_allclose(load(path)(image), (image / 255).mean(-1), rtol=1e-3)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert line.endswith(
        "foreign.onnx: has no metadata about its input and output; assuming RGB in [0, 1] as input and depth in metres "
        "as output"
    )


def test_our_own_files_need_no_assumption(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(exported)
    assert capsys.readouterr().err == ""


def test_a_map_without_a_batch(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [0, 1])
    path = save(tmp_path / "flat.onnx", nodes, [("m", [64, 96])], [axes])
    assert OnnxNetwork(path)(np.ones((1, 3, 64, 96), np.float32)).shape == (1, 1, 64, 96)


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    outputs: list[tuple[str, list[int]]],
    constants: list[onnx.TensorProto] | None = None,
    shape: tuple[int | str, ...] = (1, 3, 64, 96),
    kind: int = TensorProto.FLOAT,
) -> Path:
    image = helper.make_tensor_value_info("x", kind, shape)
    given = [helper.make_tensor_value_info(name, kind, sides) for name, sides in outputs]
    graph = helper.make_graph(nodes, "g", [image], given, constants or [])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def two_outputs(path: Path) -> Path:
    nodes = [helper.make_node("Relu", ["x"], ["depth"]), helper.make_node("Abs", ["x"], ["sure"])]
    return save(path, nodes, [("depth", [1, 3, 64, 96]), ("sure", [1, 3, 64, 96])])


def channels_last(path: Path) -> Path:
    return save(path, [helper.make_node("Relu", ["x"], ["y"])], [("y", [1, 64, 96, 3])], shape=(1, 64, 96, 3))


def half(path: Path) -> Path:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return save(path, nodes, [("y", [1, 3, 64, 96])], kind=TensorProto.FLOAT16)


def three_maps(path: Path) -> Path:
    return foreign(path, output=(1, 3, 64, 96), op="Relu")


def dynamic(path: Path) -> Path:
    return foreign(path, ("h", "w"))


def truncated(path: Path) -> Path:
    foreign(path)
    path.write_bytes(path.read_bytes()[:-9])
    return path


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def without_weights(path: Path) -> Path:
    weight = onnx.numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "w")
    save(path, [helper.make_node("Conv", ["x", "w"], ["y"])], [("y", [1, 1, 64, 96])], [weight])
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="m.data", size_threshold=0)
    path.with_name("m.data").unlink()
    return path


def with_half_its_weights(path: Path) -> Path:
    without_weights(path)
    path.with_name("m.data").write_bytes(b"1234")
    return path


BAD: dict[Callable[[Path], Path], str] = {
    two_outputs: "has the outputs depth, sure, but only one is supported; keep it: python -c",
    channels_last: "its input is x tensor(float) [1, 64, 96, 3], not one RGB image",
    half: "its input is x tensor(float16) [1, 3, 64, 96], not one RGB image",
    three_maps: "its output is y [1, 3, 64, 96], not one map [1, 1, h, w]",
    dynamic: "the height and width of its input x [1, 3, 'h', 'w'] are not fixed; fix them: python -m "
    "onnxruntime.tools.make_dynamic_shape_fixed --input_name x --input_shape 1,3,HEIGHT,WIDTH",
    truncated: "not an ONNX file, or a truncated one",
    empty: "not an ONNX file, or a truncated one",
    without_weights: "m.data, which is missing; put it there",
    with_half_its_weights: "m.data, which is truncated",
}


@pytest.mark.parametrize("make", BAD)
def test_bad_files_are_one_line(make: Callable[[Path], Path], tmp_path: Path, data_root: Path, cli: Cli) -> None:
    path = make(tmp_path / "m.onnx")
    for verb in (
        ("predict", path, data_root / "photos", "--output", tmp_path / "p"),
        ("benchmark", path, "--output", tmp_path / "b"),
        ("quantize", path, data_root / "photos"),
        ("export", path, "--camera", "64x96"),
    ):
        result = cli(*verb)
        assert result.status == 2, result
        (line,) = result.err.splitlines()
        assert line.startswith(f"pocketdepth: error: {path}: ")
        assert BAD[make] in line
    assert {each.name for each in tmp_path.iterdir()} <= {"m.onnx", "m.data", "data"}


def test_the_advice_on_several_outputs_works(tmp_path: Path) -> None:
    path = two_outputs(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="keep it: python -c") as refused:
        OnnxNetwork(path)
    code = str(refused.value).partition('"')[2].rstrip('"').replace("ONE.onnx", str(tmp_path / "one.onnx"))
    exec(code)
    assert [value.name for value in onnx.load(tmp_path / "one.onnx").graph.output] == ["depth"]


def test_truncated_ort_files(exported: Path, tmp_path: Path, cli: Cli) -> None:
    from deploy.export.fp16_and_ort import write_ort

    write_ort(exported, tmp_path / "m.ort")
    content = (tmp_path / "m.ort").read_bytes()
    (tmp_path / "m.ort").write_bytes(content[: len(content) // 2])
    result = cli("predict", tmp_path / "m.ort", tmp_path)
    assert result.status == 2
    assert "m.ort: ONNX Runtime cannot open it" in result.err


def test_what_fails_while_it_runs_is_one_line(tmp_path: Path, data_root: Path, cli: Cli) -> None:
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [7, 7])
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, [("y", [7, 7])], [shape], shape=("n", 3, 64, 96))
    result = cli("predict", path, data_root / "photos", "--output", tmp_path / "p")
    assert result.status == 1
    assert "m.onnx: ONNX Runtime cannot run it" in result.err.splitlines()[-1]
