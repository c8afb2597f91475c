"""Packaged experiments by name, and a user's own classes beside his YAML."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.pruning.prune_steps import prune_in_steps
from deploy.shipping.pipeline import Pipeline
from deploy.shipping.plan import Plan, Variant, read_plan
from deploy.shipping.ship_folder import ShipFolder
from lightning_app.comparison.compare import compare
from lightning_app.config import read_sections
from lightning_app.error_messages import user_error
from lightning_app.experiments import PACKAGED, find_yaml, packaged_names, use_yaml
from tests.conftest import EXPERIMENTS, Cli
from tests.helpers.fake_data import write_photos

LOSS = """
from losses import SILog


class MyLoss(SILog):
    pass
"""
OLD_CHECKPOINT = Path(__file__).parents[1] / "helpers" / "before_packages.ckpt"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder; modules that a test imports from below ``tmp_path`` are forgotten after it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("lightning_app.experiments._USER_FOLDERS", [])
    monkeypatch.delenv("POCKETDEPTH_DATA", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_packaged_yaml_is_found_by_name(elsewhere: Path) -> None:
    assert PACKAGED == EXPERIMENTS
    for name in ("base.yaml", "networks/pydnet.yaml"):
        assert find_yaml(Path(name)) == EXPERIMENTS / name
        assert find_yaml(Path("experiments", name)) == EXPERIMENTS / name
    assert len(packaged_names()) == len(list(EXPERIMENTS.rglob("*.yaml")))


def test_a_file_in_the_working_folder_comes_first(elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "experiments").mkdir()
    for own in (Path("base.yaml"), Path("experiments/base.yaml")):
        own.write_text("seed_everything: 7")
        assert find_yaml(own) == own
    assert capfd.readouterr() == ("", "")
    assert find_yaml(Path("experiments/small.yaml")) == EXPERIMENTS / "small.yaml"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "quikstart.yaml",
            "quikstart.yaml: no such YAML in {} or among the packaged YAMLs; did you mean quickstart.yaml?",
        ),
        ("decoder.yaml", "did you mean ablation/decoders.yaml?"),
        ("mine/runn.yaml", "did you mean mine/run.yaml?"),
        (
            "zzzz.yaml",
            "zzzz.yaml: no such YAML in {} or among the packaged YAMLs; run `pocketdepth experiments` for a list",
        ),
        ("/nowhere/zzzz.yaml", "/nowhere/zzzz.yaml: no such YAML; run `pocketdepth experiments` for a list"),
        ("../experiments/base.yaml", "../experiments/base.yaml: no such YAML in "),
    ],
)
def test_a_name_that_is_nowhere_is_one_line(elsewhere: Path, path: str, message: str) -> None:
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "run.yaml").touch()
    with pytest.raises(FileNotFoundError) as error:
        find_yaml(Path(path))
    assert message.format(elsewhere) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "chain",
    [
        ("-c", "base.yaml", "-c", "small.yaml"),
        ("--config", "experiments/base.yaml", "--config=experiments/small.yaml"),
        ("-c=base.yaml", "-c", EXPERIMENTS / "small.yaml"),
    ],
)
def test_fit_finds_them(elsewhere: Path, cli: Cli, chain: tuple[object, ...]) -> None:
    result = cli("fit", *chain, "--print_config")
    assert result.status == 0, result.err
    network = yaml.safe_load(result.out)["model"]["init_args"]["network"]["init_args"]
    assert network["encoder"] == "mobilenetv4_conv_small"
    assert result.err == ""


def test_missing_quickstart_data_is_explained(elsewhere: Path, cli: Cli) -> None:
    result = cli("fit", "-c", "base.yaml", "-c", "quickstart.yaml", "--trainer.logger", "false")
    assert result.status == 2
    last = result.err.splitlines()[-1]
    assert (
        "data/quickstart/streets/train: no such folder; clone the repository, which contains the quickstart data"
        in last
    )
    assert "set POCKETDEPTH_DATA=CLONE/data (POCKETDEPTH_DATA is not set" in last
    assert not (elsewhere / "runs").exists()  # nothing is left of a refused run


def test_other_verbs_find_them(elsewhere: Path, cli: Cli) -> None:
    assert "test" in read_sections([Path("cross_data.yaml")], "data")[0]["init_args"]
    assert read_plan(Path("ship.yaml")).size == (192, 640)
    variants = [Path("networks/small.yaml"), Path("ablation/styles.yaml:adain")]
    with pytest.raises(ValueError, match="split 'x' is not val or test"):  # which is looked at next
        compare(variants, [Path("base.yaml")], [], split="x")
    with pytest.raises(FileNotFoundError, match=r"bas\.yaml: no such YAML .* did you mean base\.yaml"):
        compare(variants, [Path("bas.yaml")], [])
    (elsewhere / "there.ckpt").touch()
    with pytest.raises(FileExistsError, match=r"there\.ckpt"):
        prune_in_steps(OLD_CHECKPOINT, [Path("base.yaml")], output=Path("there.ckpt"), macs=0.5)
    with pytest.raises(FileNotFoundError, match=r"bas\.yaml: no such YAML"):
        prune_in_steps(OLD_CHECKPOINT, [Path("bas.yaml")], output=Path("there.ckpt"), macs=0.5)


def test_a_plan_finds_them(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(elsewhere / "data" / "photos")
    monkeypatch.setenv("POCKETDEPTH_DATA", "data")
    plan = Plan({"fp32": Variant()}, (64, 96), ["base.yaml", "experiments/small.yaml"], images="photos")
    pipeline = Pipeline(Path("best.ckpt"), ShipFolder(plan, Path("out")), threads=1, runs=1)
    assert pipeline.data == [EXPERIMENTS / "base.yaml", EXPERIMENTS / "small.yaml"]


def test_own_classes_are_found_beside_the_yaml_and_in_the_working_folder(elsewhere: Path, cli: Cli) -> None:
    mine = elsewhere / "mine"
    mine.mkdir()
    (mine / "loss_beside.py").write_text(LOSS)
    (elsewhere / "loss_here.py").write_text(LOSS)
    for name in ("loss_beside", "loss_here"):
        (mine / "x.yaml").write_text(f"model: {{init_args: {{loss: {{class_path: {name}.MyLoss}}}}}}")
        result = cli("fit", "-c", "base.yaml", "-c", "mine/x.yaml", "--print_config")
        assert result.status == 0, result.err
        assert yaml.safe_load(result.out)["model"]["init_args"]["loss"]["class_path"] == f"{name}.MyLoss"
    assert sys.path[-2:] == [str(elsewhere), str(mine)]
    assert not [entry for entry in sys.path if entry.startswith(str(EXPERIMENTS))]


def test_the_packaged_folder_is_no_users(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXPERIMENTS.parent)  # a clone
    before = [*sys.path]
    assert use_yaml(Path("experiments/networks/small.yaml")) == Path("experiments/networks/small.yaml")
    assert sys.path == before


def test_own_readers_are_found_from_data(elsewhere: Path, cli: Cli) -> None:
    mine = elsewhere / "mine"
    mine.mkdir()
    (mine / "reader_beside.py").write_text("from datamodules import Photos\n\n\nclass MyReader(Photos):\n    pass\n")
    section = "{train: [{class_path: reader_beside.MyReader, init_args: {root: nothing}}], val: [], test: []}"
    (mine / "x.yaml").write_text(f"data: {{init_args: {section}}}")
    result = cli("data", "check", "--data", "base.yaml", "--data", "mine/x.yaml")
    assert "nothing: no such folder; looked for " in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import torch\nfirst = undefined\n", ":2: NameError: name 'undefined' is not defined"),
        ("class MyLoss(:\n    pass\n", ":1: SyntaxError: invalid syntax"),
        ("\n\nimport no_such_package\n", ":3: ModuleNotFoundError: No module named 'no_such_package'"),
        ("from losses import NoLoss\n", ":1: ImportError: cannot import name 'NoLoss' from 'losses'"),
    ],
)
@pytest.mark.parametrize("verb", ["fit", "data"])
def test_an_error_in_an_own_file_names_file_and_line(
    elsewhere: Path, cli: Cli, verb: str, text: str, message: str
) -> None:
    (elsewhere / "broken.py").write_text(text)
    loss = "model: {init_args: {loss: {class_path: broken.MyLoss}}}"
    data = "data: {init_args: {train: [{class_path: broken.MyReader, init_args: {root: x}}]}}"
    (elsewhere / "x.yaml").write_text(loss if verb == "fit" else data)
    call = ("fit", "-c", "base.yaml", "-c") if verb == "fit" else ("data", "check", "--data", "base.yaml", "--data")
    result = cli(*call, "x.yaml")
    assert result.status == 2
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith(f"pocketdepth: error: {elsewhere / 'broken.py'}{message}")


def test_a_module_that_is_nowhere_says_where_it_was_looked_for(elsewhere: Path, cli: Cli) -> None:
    result = cli("fit", "-c", "base.yaml", "--model.loss", "no_such_file.MyLoss")
    assert result.status == 2
    assert "model.loss: No module named 'no_such_file': not installed, and no such file next to" in result.err
    assert len(result.err.splitlines()) == 1


def test_user_error_is_about_own_files_alone(elsewhere: Path) -> None:
    (elsewhere / "x.yaml").touch()
    use_yaml(elsewhere / "x.yaml")
    own, foreign = elsewhere / "own_package" / "reader.py", elsewhere / "env" / "site-packages" / "torch" / "x.py"
    trace = f'  File "{own}", line 12, in read\n  File "{foreign}", line 30, in stack\n'
    text = f"Caught KeyError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n{trace}"
    assert user_error(RuntimeError(f"{text}KeyError: 'depth'")) == f"{own}:12: KeyError: 'depth'"
    assert user_error(RuntimeError(text.replace(str(own), str(foreign)))) is None
    assert user_error(ValueError("no file took part")) is None


@pytest.mark.slow
def test_files_in_the_working_folder_shadow_nothing(elsewhere: Path) -> None:
    for name in ("models", "losses", "datamodules", "random", "yaml"):
        (elsewhere / f"{name}.py").write_text("raise RuntimeError('shadowed')")
    path = os.pathsep.join(filter(None, [str(EXPERIMENTS.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "lightning_app", "data", "readers"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
