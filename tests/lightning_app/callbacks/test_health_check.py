"""Runs that cannot succeed end with the step and the frames, and without a checkpoint of NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn

from datamodules import Photos, VirtualKitti
from datamodules.depth_io import write_vkitti_depth
from lightning_app.callbacks import HealthCheck
from lightning_app.training import DepthModule
from losses import BerHu, MultiScaleL1, OrdinalRanking, SILog
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml
from tests.helpers.fake_data import scan
from tests.helpers.tiny_network import TinyNetwork
from tests.helpers.tiny_run import tiny_data, tiny_trainer


class Diverging(nn.Module):
    """SILog until its third batch.

    Args:
        value: what the third loss is multiplied by: NaN or infinity for the loss, ``gradient`` for its gradient alone.
    """

    def __init__(self, value: str) -> None:
        super().__init__()
        self.silog, self.value, self.batches = SILog(), value, 0

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        self.batches += int(self.training)
        terms: dict[str, Tensor] = self.silog(predictions, batch)
        if self.batches != 3:
            return terms
        zero = (predictions[0] * 0).sum()
        factor = zero.sqrt() if self.value == "gradient" else zero + float(self.value)
        return terms | {"loss": terms["loss"] + factor}


class Regularised(nn.Module):
    """SILog and a term that needs no ground truth."""

    def __init__(self) -> None:
        super().__init__()
        self.silog = SILog()

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Any]) -> dict[str, Tensor]:
        silog, flat = self.silog(predictions, batch)["loss"], predictions[0].std()
        return {"silog": silog, "flat": flat, "loss": silog + flat}


def fit(root: Path, loss: nn.Module | None = None, steps: int = 4, **data: Any) -> None:
    """Train for some steps, three of which are an epoch, and save as base.yaml does."""
    best = ModelCheckpoint(root, "best", monitor="val/kitti-eigen/abs_rel")
    last = ModelCheckpoint(root, "last", save_on_train_epoch_end=True, save_on_exception=True)
    options: dict[str, Any] = {"max_steps": steps, "val_check_interval": 2, "check_val_every_n_epoch": None}
    tiny_trainer(root, best, last, **options).fit(DepthModule(TinyNetwork(), loss or SILog()), tiny_data(**data))


@pytest.mark.parametrize(("value", "named"), [("nan", "loss is nan"), ("inf", "loss is inf"), ("gradient", "gradient")])
def test_a_run_that_diverges_stops(value: str, named: str, data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"step 3: the {named}.*, for .*vkitti/Scene0"):
        fit(tmp_path / "run", Diverging(value))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"best.ckpt", "last.ckpt"}
    for path in (tmp_path / "run").iterdir():
        content = torch.load(path, weights_only=False)
        assert content["global_step"] == 2
        assert all(value.isfinite().all() for value in content["state_dict"].values())


def test_divergence_is_one_line(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    call = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", tiny_yaml(tmp_path / "tiny.yaml"))
    loss = ("--model.loss", f"{__name__}.Diverging", "--model.loss.value", "nan")
    result = cli(*call, *loss, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 1
    assert "pocketdepth: error: step 3: the loss is nan" in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


@pytest.mark.parametrize("deferred", [False, True])
def test_weights_of_nan_are_not_saved(
    deferred: bool, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU the values are read late, after the step."""
    if deferred:
        monkeypatch.setattr(HealthCheck, "_waits", staticmethod(lambda value: True))
    with pytest.raises(RuntimeError, match="step 3: the loss is nan"):
        fit(tmp_path / "run", Diverging("nan"), steps=8)
    for path in (tmp_path / "run").iterdir():
        assert all(value.isfinite().all() for value in torch.load(path, weights_only=False)["state_dict"].values())


@pytest.mark.parametrize("loss", [SILog, MultiScaleL1, Regularised, BerHu])
def test_photographs_alone_teach_nothing(loss: type[nn.Module], data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"no pixel that {loss.__name__} compares is known, e.g. in .*photos"):
        fit(tmp_path / "run", loss(), train=[Photos("photos")], batch_size=1)
    assert not (tmp_path / "run" / "last.ckpt").exists()


def test_depth_without_pairs_teaches_no_order(data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="step 3: no gradient since the start: no pixel that OrdinalRanking"):
        fit(tmp_path / "run", OrdinalRanking())


def test_depth_of_zeros_teaches_nothing(data_root: Path, tmp_path: Path) -> None:
    for path in data_root.rglob("depth_*.png"):
        write_vkitti_depth(path, np.zeros((64, 96), np.float32))
    with pytest.raises(RuntimeError, match="no gradient since the start: no pixel that SILog"):
        fit(tmp_path / "run")


def test_a_mixture_with_photographs_trains(data_root: Path, tmp_path: Path) -> None:
    fit(tmp_path / "run", train=[VirtualKitti("vkitti"), Photos("photos")], proportions=[0.25, 0.75])


def test_a_metric_without_ground_truth_is_never_the_best(data_root: Path, tmp_path: Path) -> None:
    for path in data_root.rglob("*.bin"):  # every point is behind the car
        (np.abs(scan(0)) * [-1, 1, 1, 1]).astype(np.float32).tofile(path)
    with pytest.raises(RuntimeError, match="abs_rel is nan, so no checkpoint can be the best: no frame of the val"):
        fit(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["last.ckpt"]
