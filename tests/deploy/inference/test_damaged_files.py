"""Model files with NaN, damaged metadata or sizes, and mutated bytes: one line that names the file."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from datamodules.style import StyleBank, read_bank
from deploy import load
from deploy.inference.model_info import ModelInfo, read_metadata
from lightning_app.checkpoints import Checkpoint
from tests.conftest import Cli
from tests.helpers.few_layers import write_few_layers
from tests.lightning_app.test_checkpoints import OLD


def with_nan(path: Path) -> Path:
    """An ONNX file whose first weight is NaN."""
    model = onnx.load(write_few_layers(path))
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "verb",
    [
        ("export", "FILE", "--camera", "48x64"),
        ("quantize", "FILE", "--scheme", "dynamic"),
        ("quantize", "FILE", "PHOTOS"),
        ("quantize", "FILE", "PHOTOS", "--sensitivity", "OUT"),
        ("predict", "FILE", "PHOTOS", "--output", "OUT"),
    ],
)
def test_nan_is_no_agreement(verb: tuple[str, ...], cli: Cli, tmp_path: Path, photos: Path) -> None:
    file = with_nan(tmp_path / "nan.onnx")
    before = sorted(tmp_path.rglob("*"))
    names = {"FILE": file, "PHOTOS": photos, "OUT": tmp_path / "out"}
    result = cli(*(names.get(word, word) for word in verb))
    assert result.status == 1
    assert f"{file}: its output has NaN or infinite values" in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_messages_name_the_file_of_the_user(cli: Cli, tmp_path: Path, photos: Path) -> None:
    model = onnx.load(write_few_layers(tmp_path / "theirs.onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "theirs.onnx")
    result = cli("quantize", tmp_path / "theirs.onnx", photos, "--auto", "0.001")
    assert "warning" in result.err
    assert {line.split(": ")[1] for line in result.err.splitlines() if "warning" in line} == {
        str(tmp_path / "theirs.onnx")
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "0x64 (height x width)"),
        ("frames", "64x0 (height x width)"),
        ("canonical_focal_px", "nan"),
        ("canonical_focal_px", "-5"),
        ("stem_std", "1 inf"),
        ("predicts", "colour"),
    ],
)
def test_metadata_out_of_range(name: str, value: str, tmp_path: Path) -> None:
    model = onnx.load(write_few_layers(tmp_path / "x.onnx"))
    onnx.helper.set_model_props(model, {name: value})
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=rf"x\.onnx: its metadata has {name} '{re.escape(value)}', which is invalid"):
        load(tmp_path / "x.onnx")


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"size": 3}', b"\xff\xfe", b"null", b"[" * 10**5])
def test_metadata_of_converted_files(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"x\.tflite: its metadata is damaged"):
        ModelInfo.from_metadata(read_metadata(text, Path("x.tflite")), Path("x.tflite"))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "link.bin", "sub/../../secret.bin"])
def test_weights_outside_of_the_folder_are_not_read(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "sent"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(10**4))
    (folder / "link.bin").symlink_to("../secret.bin")
    model = onnx.load(write_few_layers(folder / "x.onnx"))
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    length = len(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        weight.external_data.add(key=key, value=value)
    (folder / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"x\.onnx: its weights are in .*, outside of its folder; it is not read"):
        load(folder / "x.onnx")


def test_style_bank_with_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.npz: corrupt style bank: its statistics are not finite"):
        read_bank(write_bank(tmp_path / "x.npz", float("nan")))


def mutated(data: bytes, seed: int) -> bytes:
    """Cut the bytes, or replace, remove or insert some."""
    draw, changed = random.Random(seed), bytearray(data)
    if seed % 4 == 0:
        return data[: draw.randrange(len(data))]
    for _ in range(draw.choice([1, 8, 64])):
        place = draw.randrange(len(changed) - 100)
        if seed % 4 == 1:
            changed[place] ^= 1 << draw.randrange(8)
        elif seed % 4 == 2:
            del changed[place : place + draw.choice([1, 4, 10])]
        else:
            changed[place:place] = draw.randbytes(draw.choice([1, 4, 100]))
    return bytes(changed)


def write_bank(path: Path, value: float) -> Path:
    with path.open("wb") as file:
        StyleBank(torch.full((3, 2, 64), value), ["a", "b", "c"], (64, 96), "x").write(file)
    return path


def open_checkpoint(path: Path) -> None:
    _ = Checkpoint.open(path).network


def open_model(path: Path) -> None:
    load(path)(np.zeros((20, 30, 3), np.uint8))


def message(action: Callable[[Path], Any], path: Path) -> str:
    """The message of the error; empty without an error. Errors of other kinds are tracebacks for a user."""
    try:
        action(path)
    except (ValueError, RuntimeError, OSError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "action", "number"),
    [("x.ckpt", open_checkpoint, 16), ("x.onnx", open_model, 32), ("x.npz", read_bank, 64)],
)
def test_mutated_bytes_are_one_line(name: str, action: Callable[[Path], Any], number: int, tmp_path: Path) -> None:
    path = tmp_path / name
    write: dict[str, Callable[[], bytes]] = {
        "x.ckpt": OLD.read_bytes,
        "x.onnx": lambda: write_few_layers(path).read_bytes(),
        "x.npz": lambda: write_bank(path, 0.5).read_bytes(),
    }
    source, messages = write[name](), []
    for seed in range(number):
        path.write_bytes(mutated(source, seed))
        messages.append(message(action, path))
    refused = [each for each in messages if each]
    assert len(refused) > number / 2
    assert all(name in each and "\n" not in each for each in refused)
