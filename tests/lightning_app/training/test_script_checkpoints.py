"""Checkpoints of plain scripts: DepthModule and Trainer, without a YAML."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules import DepthDataModule, VirtualKitti
from deploy import export_onnx, load
from deploy.pruning.pruned_checkpoint import with_network
from lightning_app.checkpoints import Checkpoint
from lightning_app.training import DepthModule
from models import DepthNet, SubpixelDecoder, with_pruned_channels
from tests.conftest import Cli

IMAGE = np.linspace(0, 1, 64 * 96 * 3, dtype=np.float32).reshape(64, 96, 3)


class Mean(nn.Module):
    """A loss that cannot be imported from anywhere else."""

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        return {"loss": predictions[0].mean()}


class Plain(nn.Module):
    """A depth network that does not derive from the contract."""

    predicts = "depth"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, width, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.multiscale(image)[0]

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        return (self.layer(image).exp().mean(1, keepdim=True),)

    def check_size(self, size: tuple[int, int]) -> None:
        pass

    def load_pretrained(self) -> None:
        pass


def trained(network: nn.Module, path: Path, data: Any = None) -> DepthModule:
    """Train for a step and save a checkpoint; without data on a plain loader."""
    module = DepthModule(network, Mean(), optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-3))
    trainer = Trainer(max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    batch = {"image": torch.rand(3, 64, 96), "depth": torch.ones(1, 64, 96), "valid": torch.ones(1, 64, 96).bool()}
    trainer.fit(module, **({"train_dataloaders": DataLoader([batch])} if data is None else {"datamodule": data}))  # type: ignore[arg-type]
    trainer.save_checkpoint(path)
    return module.eval()


def small() -> DepthNet:
    return DepthNet("test_efficientnet", decoder=partial(SubpixelDecoder, widths=[8] * 5), max_depth=50)


def test_opens_and_exports_without_data_and_loss(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "script.ckpt"
    module = trained(small(), path)
    monkeypatch.delattr(f"{__name__}.Mean")
    opened = Checkpoint.open(path)
    assert opened.size == (64, 96)
    assert opened.training_data is None
    assert not opened.content["hyper_parameters"]["network"]["init_args"].keys() - {"encoder", "decoder", "max_depth"}
    with torch.no_grad():
        expected = module.network(torch.from_numpy(IMAGE.transpose(2, 0, 1).copy())[None])[0, 0]
    np.testing.assert_allclose(np.median(load(path)(IMAGE)), np.median(expected), rtol=0.05)
    result = cli("export", path)
    assert result.status == 0, result.err
    np.testing.assert_allclose(load(path.with_suffix(".onnx"))(IMAGE), load(path)(IMAGE), rtol=1e-3)
    card = path.with_suffix(".md").read_text()
    assert f"| loss | {__name__}.Mean |" in card
    assert "its data | the checkpoint does not record it" in card


def test_records_the_training_data(data_root: Path, cli: Cli, tmp_path: Path) -> None:
    data = DepthDataModule(
        [VirtualKitti("vkitti", scenes=["Scene01"])],
        [VirtualKitti("vkitti", scenes=["Scene02"])],
        [],
        size=(64, 96),
        batch_size=2,
        workers=0,
    )
    trained(small(), tmp_path / "script.ckpt", data)
    (known,) = Checkpoint.open(tmp_path / "script.ckpt").training_data or []
    assert known.scenes == {"vkitti/Scene01"}
    assert (known.frames, known.digests, known.licence[2]) == (6, frozenset(), False)
    module = DepthModule(small(), Mean(), weights=str(tmp_path / "script.ckpt"))
    module.trainer = Trainer(logger=False, enable_checkpointing=False)
    module._initialise()
    assert module._seen == [known]


def test_pruned_in_a_script(tmp_path: Path) -> None:
    narrow = with_pruned_channels(small(), {})
    assert isinstance(narrow, DepthNet)
    assert narrow.description is not None
    assert narrow.description["class_path"] == "models.with_pruned_channels"
    trained(narrow, tmp_path / "x.ckpt")
    opened = Checkpoint.open(tmp_path / "x.ckpt")
    assert isinstance(opened.network, DepthNet)
    content = with_network(opened, narrow, {})
    assert "config" not in content  # a script has no YAML
    assert content["hyper_parameters"]["network"] == narrow.description


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: Plain(4), "Plain does not record its arguments; derive it from models.DepthNetwork"),
        (
            lambda: DepthNet("test_efficientnet", decoder=lambda *args: SubpixelDecoder(*args)),
            ".* cannot be imported; define it at the top of a file",
        ),
    ],
)
def test_what_cannot_be_described_is_said(network: Any, reason: str, tmp_path: Path) -> None:
    module = trained(network(), tmp_path / "x.ckpt")
    with pytest.raises(ValueError, match=rf"x\.ckpt: its network cannot be built from the file alone: {reason}"):
        _ = Checkpoint.open(tmp_path / "x.ckpt").network
    files = export_onnx(module, tmp_path / "memory.onnx", sizes=[(64, 96)])  # which is the way out
    assert files == [tmp_path / "memory.onnx"]


def test_a_network_in_memory_is_exported(tmp_path: Path) -> None:
    network = small().train()
    with pytest.raises(ValueError, match="a network in memory has no file name and no training size"):
        export_onnx(network)
    (file,) = export_onnx(network, str(tmp_path / "memory.onnx"), sizes=[(64, 96)])
    assert network.training
    assert not file.with_suffix(".md").exists()
    info = load(file).network.info
    assert (info.size, info.predicts, info.checkpoint) == ((64, 96), "depth", None)
    with pytest.raises(ValueError, match="Linear is not a DepthNetwork"):
        export_onnx(nn.Linear(1, 1), tmp_path / "x.onnx", sizes=[(64, 96)])
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="DepthNet: its weights are not finite"):
        export_onnx(network, tmp_path / "x.onnx", sizes=[(64, 96)])
