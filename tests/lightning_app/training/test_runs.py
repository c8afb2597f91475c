"""How a run starts and ends: what it leaves, what it is called, what it says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from jsonargparse import Namespace

from lightning_app.training.run_folder import RunFolder, find_checkpoint
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

BASE = EXPERIMENTS / "base.yaml"


def config_of(yamls: list[Path], root: str | None = None, checkpoint: str | None = None) -> Namespace:
    trainer = Namespace(default_root_dir=root)  # type: ignore[no-untyped-call]
    return Namespace(config=yamls, trainer=trainer, ckpt_path=checkpoint)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "options",
    [
        ("--data.size", "[65,96]"),
        ("--data.val.init_args.root", "nowhere"),
        ("--data.val", "[{class_path: datamodules.KittiRaw, init_args: {root: kitti, split: kitti/no.txt}}]"),
        ("--model.weights", "nowhere.ckpt"),
        ("--trainer.max_stepps", "3"),
    ],
)
def test_a_refused_start_leaves_nothing(
    options: tuple[str, ...], data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tiny_yaml(tmp_path / "tiny.yaml")
    result = cli("fit", "-c", BASE, "-c", path, "-c", EXPERIMENTS / "wandb.yaml", *options)
    assert result.status, result.out
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "tiny.yaml"]


def test_a_run_shorter_than_its_interval_has_a_best_checkpoint_and_says_what_is_next(
    data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    run, path = tmp_path / "run", tiny_yaml(tmp_path / "tiny.yaml")
    fit = ("fit", "-c", BASE, "-c", path, "--trainer.val_check_interval", 250, "--trainer.max_steps", 2)
    result = cli(*fit, "--trainer.default_root_dir", run)
    assert result.status == 0, result.err
    best, last = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt"
    assert best.is_file()
    assert result.out.count("val step 2 kitti-eigen: ") == 2  # after the validation, and below the table
    lines = result.out.splitlines()[-3:]
    assert lines[0].startswith(f"best: {best} (val/kitti-eigen/abs_rel 0.")
    assert lines[1] == f"last: {last} (step 2)"
    assert lines[2] == (f"next: pocketdepth evaluate {best} --data {run / 'config.yaml'}; pocketdepth export {best}")


@pytest.mark.parametrize(
    ("yamls", "name"),
    [
        (("base.yaml", "streets_to_kitti.yaml", "wandb.yaml"), "streets_to_kitti"),
        (("base.yaml", "quickstart.yaml", "small.yaml", "wandb.yaml"), "quickstart"),
        (("base.yaml", "small.yaml"), "small"),
        (("base.yaml",), "base"),
    ],
)
def test_a_run_is_named_after_its_experiment(
    yamls: tuple[str, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_of([EXPERIMENTS / each for each in yamls])
    folder = RunFolder(config, "fit")
    assert folder.path.parent == Path("runs") / name
    with pytest.raises(KeyboardInterrupt), folder.empty_if_refused():
        raise KeyboardInterrupt
    assert not (tmp_path / "runs").exists()


def test_last_and_best_are_those_of_the_folder_or_of_the_newest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for age, stamp in enumerate(("new", "old")):
        for name in ("best", "last"):
            path = tmp_path / "runs" / "quickstart" / stamp / "checkpoints" / f"{name}.ckpt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (1e9 - age, 1e9 - age))

    def found(name: str, root: str | None, verb: str) -> Namespace:
        yamls = [EXPERIMENTS / "base.yaml", EXPERIMENTS / "quickstart.yaml"]
        config = config_of(yamls, root, name)
        find_checkpoint(config, verb)
        return config

    newest, old = Path("runs/quickstart/new"), Path("runs/quickstart/old")
    for name in ("best", "last"):
        assert found(name, None, "test").ckpt_path == str(newest / "checkpoints" / f"{name}.ckpt")
        assert found(name, str(old), "fit").ckpt_path == str(old / "checkpoints" / f"{name}.ckpt")
    assert found("last", None, "fit").trainer.default_root_dir == str(newest)
    assert found("last", None, "test").trainer.default_root_dir is None
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(FileNotFoundError, match=r"no run with a last\.ckpt in runs/quickstart"):
        found("last", None, "fit")
