"""How a network is trained: what Lightning, torch and the module offer, as users ask for it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_app.training.depth_module import DepthModule
from lightning_app.training.schedule import OneCycle
from losses import SILog
from models import DepthNet
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

BASE = EXPERIMENTS / "base.yaml"


def state(run: Path, key: str = "state_dict") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)[key]
    return content


def losses_of(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as stream:
        return [float(row["train/loss"]) for row in csv.DictReader(stream) if row.get("train/loss")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--trainer.precision", "bf16-mixed", "--model.rates", "{encoder: 0.1}"), id="bf16, rates"),
        pytest.param(
            ("--trainer.callbacks+=pytorch_lightning.callbacks.EMAWeightAveraging", "--trainer.callbacks.decay", 0.9),
            id="EMA",
        ),
        pytest.param(
            ("--trainer.accumulate_grad_batches", 2, "--trainer.gradient_clip_val", 1.0),
            id="accumulate and clip",
        ),
        pytest.param(
            ("--trainer.deterministic", "true", "--model.schedule", "lightning_app.training.OneCycle"),
            id="deterministic, one cycle",
        ),
        pytest.param(
            (
                "--trainer.callbacks+=pytorch_lightning.callbacks.EarlyStopping",
                *("--trainer.callbacks.monitor", "val/kitti-eigen/abs_rel", "--trainer.callbacks.patience", 1),
            ),
            id="early stopping",
        ),
    ],
)
def test_a_run_with_it_trains_scores_and_opens(
    options: tuple[object, ...], data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    run = tmp_path / "run"
    result = cli(
        "fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"), *options, "--trainer.default_root_dir", run
    )
    assert result.status == 0, result.err
    module = DepthModule.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu", weights_only=True)
    assert module.network(torch.rand(1, 3, 64, 96)).isfinite().all()
    test = (
        "test",
        "-c",
        BASE,
        "-c",
        tmp_path / "tiny.yaml",
        *options,
        "--ckpt_path",
        run / "checkpoints" / "last.ckpt",
    )
    assert cli(*test).status == 0


def test_a_part_that_is_frozen_stays_as_it_is(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    call = ("fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"))
    one, two = tmp_path / "one", tmp_path / "two"
    first = cli(*call, "--model.rates", "{encoder: 0}", "--trainer.max_steps", 2, "--trainer.default_root_dir", one)
    assert first.status == 0, first.err
    weights = one / "checkpoints" / "last.ckpt"
    second = cli(*call, "--model.rates", "{encoder: 0}", "--model.weights", weights, "--trainer.default_root_dir", two)
    assert second.status == 0, second.err
    before, after = state(one), state(two)
    changed = {key.split(".")[1] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"decoder"}  # not the statistics of the encoder's BatchNorm either


def test_a_part_has_its_own_rate() -> None:
    module = DepthModule(DepthNet("mobilenetv4_conv_small"), SILog(), rates={"encoder": 0.1, "decoder.heads": 2.0})
    module.trainer = type("Trainer", (), {"estimated_stepping_batches": 10})()
    configured: Any = module.configure_optimizers()
    optimizer = configured["optimizer"]
    rates = {group["name"]: group["initial_lr"] for group in optimizer.param_groups}
    assert rates == {"network": 1e-3, "encoder": pytest.approx(1e-4), "decoder.heads": pytest.approx(2e-3)}
    counted = sum(parameter.numel() for group in optimizer.param_groups for parameter in group["params"])
    assert counted == sum(parameter.numel() for parameter in module.parameters())


def test_one_cycle_peaks_at_the_optimizers_rate() -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=2.0)
    schedule, rates = OneCycle(optimizer, 20), []
    for _ in range(19):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(2.0, rel=0.02)
    assert max(rates[0], optimizer.param_groups[0]["lr"]) < 0.1


@pytest.mark.slow
def test_a_compiled_run_saves_what_any_other_does(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    network = ("--model.network", "tests.helpers.tiny_network.TinyNetwork")  # real ones compile for minutes
    call = ("fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"), *network, "--trainer.max_steps", 2)
    one, two = tmp_path / "one", tmp_path / "two"
    assert cli(*call, "--trainer.default_root_dir", one).status == 0
    compiled = cli(*call, "--model.compile", "true", "--trainer.default_root_dir", two)
    assert compiled.status == 0, compiled.err
    assert list(state(one)) == list(state(two))
    losses = [losses_of(run) for run in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)  # the second step's, after rounding of the first


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("{encoder: -1}", "rates: -1.0 of encoder is negative"),
        ("{encodre: 0.1}", "rates: DepthNet has no part 'encodre'; its parts are prediction, encoder, decoder"),
    ],
)
def test_wrong_rates_are_refused(option: str, message: str, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"), "--model.rates", option)
    assert result.status == 2
    assert message in result.err


class WithoutLoss(nn.Module):
    """A loss that returns no ``loss``."""

    def forward(self, predictions: tuple[Tensor, ...], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"l1": predictions[0].mean()}


def test_a_loss_without_its_key_is_one_line(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    fit = ("fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"), "--model.loss", f"{__name__}.WithoutLoss")
    result = cli(*fit, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 2
    assert "WithoutLoss returns the keys l1; a loss returns a dict with the key 'loss'" in result.err
    assert "Traceback" not in result.err
