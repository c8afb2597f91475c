"""Code of a user's own: the examples of the documentation run outside of the clone, and mistakes are named."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lightning_app.training.loss_terms import require_predictions, require_terms
from tests.conftest import TINY, Cli
from tests.test_docs import ROOT

OWN_YAML = """
trainer: {max_steps: 2}
model: {init_args: {loss: {class_path: my_loss.LogL1}}}
data: {init_args: {train: [{class_path: my_reader.Pairs, init_args: {root: pairs}}]}}
"""


@pytest.fixture
def examples(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with the titled examples of the documentation, and a folder of pairs for its reader."""
    folder = tmp_path / "elsewhere"
    (folder / "pairs").mkdir(parents=True)
    for page in ("tuning-and-sweeps", "choosing-a-network", "your-own-data"):
        text = (ROOT / "docs" / f"{page}.md").read_text()
        for name, code in re.findall(r'^```\w+ title="(my_\w+\.\w+)"\n(.*?)^```', text, re.S | re.M):
            (folder / name).write_text(code)
    random = np.random.default_rng(0)
    for index in range(4):
        Image.fromarray(random.integers(0, 255, (72, 128, 3), np.uint8)).save(folder / "pairs" / f"{index}.jpg")
        np.save(folder / "pairs" / f"{index}.npy", random.uniform(2, 50, (72, 128)).astype(np.float32))
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "own.yaml").write_text(OWN_YAML)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("lightning_app.experiments._USER_FOLDERS", [])
    yield folder
    for name in ("my_loss", "my_reader", "my_network", "my_callback", "my_code"):
        sys.modules.pop(name, None)


def test_the_examples_of_the_documentation_run(examples: Path, cli: Cli) -> None:
    chain = ("-c", "base.yaml", "-c", "tiny.yaml", "-c", "my_network.yaml", "-c", "own.yaml")
    options = ("--trainer.callbacks+=my_callback.GradientNorm", "--trainer.default_root_dir", "run")
    result = cli("fit", *chain, *options)
    assert result.status == 0, result.err
    (metrics,) = Path("run").rglob("metrics.csv")
    header = metrics.read_text().splitlines()[0]
    assert {"train/log_l1", "train/gradient_norm"} <= set(header.split(","))
    checkpoint = next(Path("run").rglob("last.ckpt"))
    content = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    assert content["network"]["class_path"] == "my_network.MyNet"
    result = cli("predict", checkpoint, "pairs/0.jpg", "--output", "depth")
    assert result.status == 0, result.err
    (depth,) = Path("depth").rglob("*.npy")
    assert np.load(depth).shape == (72, 128)
    result = cli("data", "check", "my_reader.Pairs", "--root", "pairs")
    assert result.status == 0, result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model.loss", "my_loss.LogL2"), "my_loss.py has no LogL2; did you mean LogL1?"),
        (("--model.loss", "my_los.LogL1"), "No module named 'my_los': not installed, and no such file"),
        (("--model.network", "my_network.MyNett"), "my_network.py has no MyNett; did you mean MyNet?"),
        (("--trainer.callbacks+=my_callback.Gradientnorm",), "my_callback.py has no Gradientnorm; did you mean Gra"),
        (("--model.network.widht", "8"), "--model.network.widht: MyNet has no argument widht; did you mean"),
        (("--model.network.width", "wide"), "--model.network.width: expected a whole number, got wide"),
        (("--model.loss", "random.LogL1"), "random.py is not used: 'random' is the name of another module; rename"),
        (("--model.loss", "losses.LogL1"), "losses.py is not used: 'losses' is the name of another module; rename"),
        (("--model.loss", "my_code.Broken"), "my_code.py:1: NameError: name 'undefined' is not defined"),
    ],
)
def test_a_mistake_in_a_name_is_one_line(examples: Path, cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    for name in ("random", "losses"):
        (examples / f"{name}.py").write_text((examples / "my_loss.py").read_text())
    (examples / "my_code.py").write_text("undefined\n")
    result = cli("fit", "-c", "base.yaml", "-c", "tiny.yaml", "-c", "my_network.yaml", *arguments)
    assert result.status == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1


class OwnLoss(nn.Module):
    """Stands for a user's loss; only its name is used."""


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (None, "returns NoneType; a loss returns a dict with the key 'loss'"),
        (torch.ones(()), "returns Tensor; a loss returns a dict"),
        ({}, "returns the keys ; a loss returns a dict with the key 'loss'"),
        ({"silog": torch.ones(())}, "returns the keys silog; a loss returns a dict with the key 'loss'"),
        ({"loss": 1.5}, "returns 'loss' as float; each term is a tensor of one value"),
        (
            {"loss": torch.ones(2, 1, 4, 4, requires_grad=True)},
            "returns 'loss' of shape (2, 1, 4, 4); each term is a sca",
        ),
        ({"loss": torch.ones((), requires_grad=True), "x": [1]}, "returns 'x' as list; each term is a tensor"),
        ({"loss": torch.ones(())}, "returns a 'loss' without gradient"),
    ],
)
def test_what_a_loss_must_return(terms: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"test_own_code\.OwnLoss returns") as error:
        require_terms(OwnLoss(), terms)
    assert message in str(error.value)


def test_what_a_loss_may_return() -> None:
    terms = {"loss": torch.ones((), requires_grad=True), "weight": 0.5}
    assert require_terms(OwnLoss(), terms) is terms
    with torch.no_grad():  # validation
        assert require_terms(OwnLoss(), {"loss": torch.ones(1)})


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (torch.ones(2, 1, 4, 4), "multiscale returns Tensor; it returns a tuple, finest first"),
        ((), "multiscale returns tuple; it returns a tuple, finest first"),
        ((torch.ones(2, 4, 4),), "multiscale returns a prediction of (2, 4, 4); each is (B, 1, h, w)"),
        ((torch.ones(2, 3, 4, 4),), "multiscale returns a prediction of (2, 3, 4, 4); each is (B, 1, h, w)"),
        ((None,), "multiscale returns a prediction of NoneType; each is"),
    ],
)
def test_what_a_network_must_return(predictions: Any, message: str) -> None:
    with pytest.raises(ValueError, match="multiscale returns") as error:
        require_predictions(OwnLoss(), predictions)
    assert message in str(error.value)


def test_what_a_network_may_return() -> None:
    predictions: tuple[Tensor, ...] = (torch.ones(2, 1, 4, 4), torch.ones(2, 1, 2, 2))
    assert require_predictions(OwnLoss(), predictions) is predictions


def test_a_reader_without_a_list_of_entries_is_named(examples: Path, cli: Cli) -> None:
    (examples / "my_code.py").write_text(
        "from my_reader import Pairs\n\n\nclass Forgot(Pairs):\n    def scan(self):\n        super().scan()\n"
    )
    result = cli("data", "check", "my_code.Forgot", "--root", "pairs")
    assert result.status == 2
    assert "reader my_code.Forgot: the result of scan is missing, but must be a list of tuples" in result.err


def test_a_wrong_signature_is_named_by_its_file(examples: Path, cli: Cli) -> None:
    (examples / "my_code.py").write_text(
        "from torch import nn\nfrom datamodules import Reader\n\n"
        "class Loss(nn.Module):\n    def forward(self, predictions):\n        return {}\n\n"
        "class Unfinished(Reader):\n    pass\n"
    )
    options = ("--model.loss", "my_code.Loss", "--trainer.default_root_dir", "run")
    result = cli("fit", "-c", "base.yaml", "-c", "tiny.yaml", *options)
    assert result.status == 1
    assert "my_code.py:5: TypeError: Loss.forward() takes 2 positional arguments but 3 were given" in result.err
    checked = cli("data", "check", "my_code.Unfinished")
    assert "my_code.py:8: TypeError: Can't instantiate abstract class Unfinished" in checked.err
    assert "Traceback" not in result.err + checked.err
