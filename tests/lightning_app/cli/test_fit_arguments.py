"""Wrong use of the verbs that start from YAMLs names the right form, before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_app.cli.fit_arguments import check_fit_arguments, check_variants
from lightning_app.experiments import packaged_names
from tests.conftest import Cli

BASE = ("-c", "base.yaml", "-c", "quickstart.yaml")
YAMLS = {
    "my.yaml": "trainer: {max_steps: 4}\ndata: {init_args: {batch_size: 2}}\n",
    "steps.yaml": "trainer: {max_steps: 4}\n",
    "key.yaml": "data: {init_args: {batchsize: 2}}\n",
    "top.yaml": "max_steps: 2\n",
    "nested.yaml": "model: {init_args: {network: {init_args: {encodre: resnet18}}}}\n",
    "item.yaml": "trainer: {callbacks: [{class_path: lightning_app.callbacks.Panels, init_args: {frame: 1}}]}\n",
    "class.yaml": "model: {init_args: {loss: {class_path: losses.SILogg}}}\n",
    "null.yaml": "model: {init_args: {loss: {class_path: losses.SILog, init_args: }}}\n",
    "empty.yaml": "# nothing\n",
    "sweep.yaml": "method: grid\ncommand: [-c, base.yaml]\nparameters: {model.network.encoder: {values: [resnet19]}}\n",
    "sweep2.yaml": "method: grid\ncommand: [-c, base.yaml]\nparameters: {data.augmentation.photometrik: {min: 0}}\n",
    "tabs.yaml": "trainer:\n\tmax_steps: 4\n",
    "list.yaml": "- a\n",
    "text.yaml": "just text\n",
    "twice.yaml": "trainer: {max_steps: 4}\nmodel: {}\ntrainer: {max_steps: 5}\n",
    "merged.yaml": "trainer: &a {max_steps: 4}\nmodel: {init_args: {rates: {<<: {encoder: 1.0}, encoder: 0.1}}}\n",
    "table.yaml": "variants: {a: {trainer.max_step: 4}, b: {}}\n",
}
SIMILAR = {
    ("--max_steps", "3"): "--max_steps: no such key; did you mean --trainer.max_steps?",
    ("--max-steps", "3"): "did you mean --trainer.max_steps?",
    ("--epochs=3",): "--epochs: no such key; did you mean --trainer.max_epochs?",
    ("--batch_size", "3"): "did you mean --data.batch_size?",
    ("--device", "cuda"): "did you mean --trainer.accelerator?",
    ("--gpus", "2"): "did you mean --trainer.devices?",
    ("--lr", "0.1"): "did you mean --model.optimizer.lr?",
    ("--seed", "1"): "did you mean --seed_everything?",
    ("--resume", "a.ckpt"): "did you mean --ckpt_path?",
    ("--encoder", "resnet18"): "did you mean --model.network.encoder?",
    (
        "--data.batchsize",
        "3",
    ): "--data.batchsize: DepthDataModule has no argument batchsize; did you mean --data.batch_",
    ("--trainer.batch_size", "3"): "Trainer has no argument batch_size; did you mean --data.batch_size?",
    ("--model.learning_rate", "1"): "DepthModule has no argument learning_rate; did you mean --model.optimizer.lr?",
    ("--model.init_args.network.init_args.encodr", "x"): "DepthNet has no argument encodr; did you mean --model.netw",
    ("--model.loss", "SILogg"): "--model.loss: no class SILogg; did you mean SILog?",
    ("--model.loss", "losses.SILogg"): "--model.loss: losses has no SILogg; did you mean SILog?",
    ("--model.loss", "lossess.SILog"): "No module named 'lossess': not installed, and no such file next to the YAMLs",
    ("--trainer.callbacks+=ModelCheckpointt",): "no class ModelCheckpointt; did you mean ModelCheckpoint?",
    ("--model.network.encoder", "resnet99"): "timm has no backbone 'resnet99'; similar names: resnet50",
    ("--model.optimizer.lr", "abc"): "--model.optimizer.lr: expected a number, got abc",
    ("--data.protocol", "kitti-egen"): "no protocol 'kitti-egen'; did you mean kitti-eigen?",
    ("--model.optimizer.lr", "inf"): "--model.optimizer.lr: expected a number, got inf",
    ("--model.optimizer.lr", ".nan"): "--model.optimizer.lr: expected a number, got nan",
    ("--trainer.max_steps", "1.5"): "--trainer.max_steps: expected a whole number, got 1.5",
    ("--data.workers", "[1]"): "--data.workers: expected a whole number, got [1]",
    ("--trainer.max_steps",): "--trainer.max_steps: its value is missing",
    ("--trainer.max_steps", "--data.workers", "0"): "--trainer.max_steps: its value is missing",
    ("--data.size", "192", "640"): "640: --data.size takes one value; write a list in brackets",
    ("my.yaml",): "my.yaml: give -c before each YAML: -c my.yaml",
    ("-c", "folder"): "folder: a folder, not a YAML; it contains inside.yaml",
    ("-c", "last.ckpt"): "last.ckpt: a model, not a YAML; to resume its run give it as --ckpt_path",
    ("-c", "my.yaml,top.yaml"): "no such YAML; give -c before each YAML: -c my.yaml -c top.yaml",
    ("-c", "nowhere.yaml"): "nowhere.yaml: no such YAML in ",
    (
        "-c",
        "key.yaml",
    ): "key.yaml: data.batchsize: DepthDataModule has no argument batchsize; did you mean data.batch_size?",
    ("-c", "top.yaml"): "top.yaml: max_steps: no such key; did you mean trainer.max_steps?",
    ("-c", "nested.yaml"): "nested.yaml: model.network.encodre: DepthNet has no argument encodre; did you mean",
    ("-c", "item.yaml"): "item.yaml: trainer.callbacks[0].frame: Panels has no argument frame; did you mean",
    ("-c", "class.yaml"): "class.yaml: model.loss: losses has no SILogg; did you mean SILog?",
    ("-c", "null.yaml"): "null.yaml: model.loss.init_args: is empty",
    ("-c", "empty.yaml"): "empty.yaml: is empty, or all of it is commented out",
    ("-c", "tabs.yaml"): "tabs.yaml:2: not YAML (while scanning for the next token found character",
    ("-c", "list.yaml"): "list.yaml: a list, not a mapping of the sections trainer, model and data",
    ("-c", "text.yaml"): "text.yaml: text, not a mapping",
    ("-c", "twice.yaml"): "twice.yaml:3: not YAML (the key trainer is there twice)",
    (
        "-c",
        "streets.yaml",
    ): "settings of data render, not an experiment; run `pocketdepth data render -c streets.yaml`",
    ("-c", "ship.yaml"): "ship.yaml: a plan of ship, not an experiment; run `pocketdepth ship CHECKPOINT -c ship.yaml`",
    (
        "-c",
        "ablation/styles.yaml",
    ): "a table of variants, not an experiment; run `pocketdepth compare ablation/styles.y",
    ("-c", "sweep.yaml"): "sweep.yaml: parameters: model.network.encoder: timm has no backbone 'resnet19'",
    ("-c", "sweep2.yaml"): "sweep2.yaml: parameters: data.augmentation.photometrik: Augmentation has no argument",
    ("--data.augmentation.photometrik", "0.2"): "did you mean --data.augmentation.photometric?",
    ("-c", "sweeps/first.yaml"): "a sweep, not an experiment; run `wandb sweep sweeps/first.yaml`",
    ("-c", "teachers/midas_small.yaml"): "a teacher's go to `label --settings teachers/midas_small.yaml`",
    ("--ckpt_path", "nowhere.ckpt"): "nowhere.ckpt: no such checkpoint (--ckpt_path)",
    ("--model.weights", "nowhere.ckpt"): "nowhere.ckpt: no such checkpoint (--model.weights)",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with YAMLs."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("lightning_app.experiments._USER_FOLDERS", [])
    monkeypatch.chdir(tmp_path)
    for name, text in YAMLS.items():
        Path(name).write_text(text)
    Path("folder").mkdir()
    Path("folder", "inside.yaml").touch()
    Path("last.ckpt").touch()


@pytest.mark.parametrize("arguments", SIMILAR)
def test_wrong_use_names_the_right_form(arguments: tuple[str, ...], cli: Cli) -> None:
    result = cli("fit", *BASE, *arguments)
    assert result.status == 2
    assert SIMILAR[arguments] in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no YAML names a model; give base.yaml first: pocketdepth fit -c base.yaml -c quickstart.yaml"),
        (
            ("-c", "steps.yaml"),
            "no YAML names a model; give base.yaml first: pocketdepth fit -c base.yaml -c steps.yaml",
        ),
        (
            ("-c", "my.yaml"),
            "its data section names no class_path; give base.yaml before it: pocketdepth fit -c base.ya",
        ),
        (("-c", "my.yaml", "-c", "base.yaml"), "give base.yaml before it: pocketdepth fit -c base.yaml -c my.yaml"),
        (("quickstart",), "quickstart: not an option; an experiment is given as -c FILE.yaml"),
    ],
)
def test_without_base_it_is_named(arguments: tuple[str, ...], message: str, cli: Cli) -> None:
    result = cli("fit", *arguments)
    assert result.status == 2
    assert message in result.err


@pytest.mark.parametrize(
    "call",
    [
        ("validate", *BASE, "--epochs", "3"),
        ("test", *BASE, "--epochs", "3"),
        ("profile", *BASE, "--epochs", "3"),
        ("prune", "last.ckpt", "--macs", "0.5", *BASE, "--epochs", "3"),
        ("compare", "networks/small.yaml", "networks/base.yaml", "-c", "base.yaml", "--epochs", "3"),
    ],
)
def test_all_verbs_with_keys_name_it(call: tuple[str, ...], cli: Cli) -> None:
    result = cli(*call)
    assert result.status == 2
    assert "--epochs: no such key; did you mean --trainer.max_epochs?" in result.err


def test_compare_checks_the_entries_of_a_table(cli: Cli) -> None:
    result = cli("compare", "table.yaml", "-c", "base.yaml")
    assert "table.yaml:a: trainer.max_step: Trainer has no argument max_step; did you mean trainer.max_st" in result.err


def test_data_yamls_are_checked(cli: Cli) -> None:
    result = cli("evaluate", "last.ckpt", "--data", "base.yaml", "--data", "key.yaml")
    assert "key.yaml: data.batchsize: DepthDataModule has no argument batchsize; did you mean" in result.err


@pytest.mark.parametrize("name", [name for name in packaged_names() if not name.startswith(("sweeps", "teachers"))])
def test_the_packaged_yamls_pass(name: str) -> None:
    if name in ("ship.yaml", "streets.yaml"):  # no experiments
        return
    if name.startswith("ablation/") and name != "ablation/common.yaml":
        check_variants([Path("base.yaml")], [Path(name)], [])
    else:
        check_fit_arguments("fit", ["-c", "base.yaml", "-c", name])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--model.optimizer.lr", "1e-3"),
        ("--trainer.max_steps", "-1", "--trainer.max_epochs", "3"),
        ("--model.network.encoder", "resnet50.a1_in1k"),
        ("--model.optimizer", "torch.optim.SGD", "--model.optimizer.momentum", "0.9"),
        ("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val/x"),
        ("--data.style", "null"),
        ("--model", "lightning_app.training.StyleModule", "--model.network", "models.AdaIN"),
        ("-c", "merged.yaml"),
        ("--print_config",),
        ("--print_config=skip_default",),
        ("-c", '{"trainer.max_steps": 3}', "--anything", "1"),
    ],
)
def test_right_use_passes(arguments: tuple[str, ...]) -> None:
    check_fit_arguments("fit", [*BASE, *arguments])


def test_it_takes_no_torch() -> None:
    code = (
        "import sys\nfrom lightning_app.cli.main import main\n"
        "try:\n    main(['fit', '-c', 'base.yaml', '--epochs', '3'])\n"
        "except SystemExit as stop:\n    sys.exit(stop.code + 10 * ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 2
