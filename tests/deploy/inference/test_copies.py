"""Loaded models are pickled and copied by the path of their file."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy import load
from deploy.inference.onnx_network import OnnxNetwork
from tests.helpers.few_layers import write_few_layers
from tests.lightning_app.test_checkpoints import OLD

IMAGE = np.linspace(0, 1, 40 * 60 * 3, dtype=np.float32).reshape(40, 60, 3)


@pytest.fixture(params=[".onnx", ".ckpt"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return OLD if request.param == ".ckpt" else write_few_layers(tmp_path / "few.onnx")


@pytest.mark.slow
def test_a_loaded_model_is_pickled_and_copied(file: Path) -> None:
    model = load(file)
    expected = model(IMAGE)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other(IMAGE), expected)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(model, (IMAGE,)), expected)


def test_a_copy_keeps_its_threads_and_says_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_few_layers(tmp_path / "few.onnx")
    network = OnnxNetwork(Path("few.onnx"), threads=1)
    kept = pickle.dumps(network)
    monkeypatch.chdir("/")
    assert pickle.loads(kept).threads == 1
    (tmp_path / "few.onnx").unlink()
    with pytest.raises(FileNotFoundError, match=r"few\.onnx: no such ONNX file"):
        pickle.loads(kept)
