"""Every YAML that is shipped: parsed, and the ones that can run here are run."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

import losses
from lightning_app.comparison.variants import read_variants, write_variants
from tests.conftest import EXPERIMENTS, SMALLEST, Cli
from tests.helpers.fake_data import write_diw

ROOT = EXPERIMENTS.parent
NEEDS_DATA = ("quickstart", "streets_to_kitti", "description", "paper_distill", "seven_scenes")
OVERLAYS = ("small", "wandb", "real_stereo", "real_video", "description_small")
STYLIZER = "adain"  # tests/lightning_app/training/test_style_module.py trains it
ABLATIONS = [path for path in sorted((EXPERIMENTS / "ablation").glob("*.yaml")) if path.stem != "common"]
TABLES = {path.stem: read_variants([path]) for path in ABLATIONS}
VARIANTS = [f"{table}:{variant.name}" for table, variants in TABLES.items() for variant in variants]
STYLES = {variant.name: variant.overrides for variant in TABLES["styles"]}
INT8 = [path.stem for path in sorted((EXPERIMENTS / "int8").glob("*.yaml"))]
NETWORKS = [path.stem for path in sorted((EXPERIMENTS / "networks").glob("*.yaml")) if path.stem != "common"]
DATA_ONLY = ("cross_data", "ship", "streets")  # no experiments: test_evaluate, test_ship and test_render read them


def test_every_yaml_is_known_here() -> None:
    assert {path.stem for path in EXPERIMENTS.glob("*.yaml")} == {"base", *NEEDS_DATA, *OVERLAYS, STYLIZER, *DATA_ONLY}
    alone = {"none", "photometric", "image_adain", "histogram", "fourier", "adain"}
    assert set(INT8) == {"control", "qat"}
    assert set(TABLES) == {"cameras", "decoders", "losses", "streets", "styles"}
    assert set(STYLES) == alone | {"adain_photometric", "image_adain_photometric"}


@pytest.mark.slow  # check_variants reads all of them in test_fit_arguments.py
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_parsed(variant: str, tmp_path: Path, cli: Cli) -> None:
    table, _, name = variant.partition(":")
    (own,) = write_variants(read_variants([EXPERIMENTS / "ablation" / f"{table}.yaml:{name}"]), tmp_path)
    files = (EXPERIMENTS / f"{file}.yaml" for file in ("base", "streets_to_kitti", "ablation/common"))
    result = cli("fit", *(part for file in (*files, own) for part in ("-c", file)), "--print_config")
    assert result.status == 0, result.err


def test_every_loss_is_in_an_experiment() -> None:
    text = "".join(path.read_text() for path in EXPERIMENTS.rglob("*.yaml"))
    assert not [name for name in losses.__all__ if f"losses.{name}" not in text]


@pytest.mark.slow
def test_ordinal_pairs_are_trained_beside_depth(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    (data_root / "vkitti").rename(data_root / "streets")
    write_diw(data_root / "diw")
    (data_root / "diw" / "DIW_test.csv").rename(data_root / "diw" / "DIW_train_val.csv")
    (data_root / "kitti" / "splits").mkdir()
    for split in ("val", "test"):
        shutil.copy(data_root / "kitti" / f"{split}.txt", data_root / "kitti" / "splits" / f"{split}_files.txt")
    own = write_variants(read_variants([EXPERIMENTS / "ablation" / "losses.yaml:ordinal"]), tmp_path)
    files = (EXPERIMENTS / f"{file}.yaml" for file in ("base", "streets_to_kitti", "ablation/common"))
    chain = [part for file in (*files, *own) for part in ("-c", file)]
    result = cli("fit", *chain, *SMALLEST, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 0, result.err
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/silog", "train/ordinal"} <= set(header)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_its_own_on_any_data(name: str, cli: Cli) -> None:
    """Whatever the YAMLs below it say of theirs."""
    found = []
    for data in ("streets_to_kitti", "seven_scenes"):
        files = ("base", data, "networks/common", f"networks/{name}")
        chain = [part for file in files for part in ("-c", EXPERIMENTS / f"{file}.yaml")]
        result = cli("fit", *chain, "--print_config")
        assert result.status == 0, result.err
        network = yaml.safe_load(result.out)["model"]["init_args"]["network"]
        found.append({key: value for key, value in network["init_args"].items() if not key.endswith("_depth")})
    assert found[0] == found[1]


def test_a_decoder_has_its_own_widths(cli: Cli) -> None:
    call = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "description.yaml", "--print_config")
    network = yaml.safe_load(cli(*call).out)["model"]["init_args"]["network"]["init_args"]
    assert network["decoder"] == {"class_path": "models.UpConvDecoder", "init_args": {"widths": None, "skips": "add"}}


@pytest.mark.parametrize("name", INT8)
def test_int8_is_trained_after_any_network(name: str, cli: Cli) -> None:
    files = ("base", "streets_to_kitti", "networks/common", "networks/small", f"int8/{name}")
    chain = [part for file in files for part in ("-c", EXPERIMENTS / f"{file}.yaml")]
    result = cli("fit", *chain, "--print_config")
    assert result.status == 0, result.err
    callbacks = [each["class_path"] for each in yaml.safe_load(result.out)["trainer"]["callbacks"]]
    assert "lightning_app.callbacks.StepProgress" in callbacks
    assert ("deploy.quantization.FakeQuantize" in callbacks) == (name == "qat")


@pytest.mark.parametrize("name", STYLES)
def test_styles_differ_in_one_place(name: str) -> None:
    own = STYLES[name]
    assert own is not None
    assert all(key.startswith("data.") for key in own)
    assert len(own) == (2 if name.endswith("_photometric") else 1)


@pytest.mark.parametrize("name", [*NEEDS_DATA, *OVERLAYS])
def test_every_yaml_is_parsed(name: str, cli: Cli) -> None:
    files = ["base", "streets_to_kitti", name] if name in OVERLAYS else ["base", name]
    chain = [part for file in files for part in ("-c", EXPERIMENTS / f"{file}.yaml")]
    result = cli("fit", *chain, "--print_config")
    assert result.status == 0, result.err
    assert yaml.safe_load(result.out)["model"]["class_path"] == "lightning_app.training.DepthModule"


def test_no_yaml_names_a_folder_outside() -> None:
    for path in EXPERIMENTS.rglob("*.yaml"):
        assert "../" not in path.read_text()
        assert ": /" not in path.read_text()


def test_quickstart_runs_on_the_embedded_streets(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(ROOT / "data"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    call = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "quickstart.yaml", *SMALLEST)
    result = cli(*call, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 0, result.err
    results = json.loads((tmp_path / "run" / "fit.json").read_text())["results"]
    assert list(results) == ["val step 0 kitti-eigen", "val step 2 kitti-eigen"]
    assert results["val step 2 kitti-eigen"]["frames"] == 24


def test_embedded_streets_are_light_and_split_by_scene() -> None:
    files = [path for path in (ROOT / "data" / "quickstart").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8e6
    folders = {split: ROOT / "data" / "quickstart" / "streets" / split for split in ("train", "val", "test")}
    counts = {split: len(list(folder.rglob("*.jpg"))) for split, folder in folders.items()}
    assert counts == {"train": 240, "val": 24, "test": 24}
    seeds = {json.loads((folder / "settings.json").read_text())["seed"] for folder in folders.values()}
    assert len(seeds) == 3  # streets of different seeds are different streets


@pytest.fixture
def full_layout(data_root: Path) -> Path:
    """What description.yaml looks for below the data root."""
    (data_root / "vkitti").rename(data_root / "vkitti2")
    for camera in list((data_root / "vkitti2").rglob("Camera_0")):
        shutil.copytree(camera, camera.with_name("Camera_1"))
    for path in (data_root / "vkitti2").rglob("intrinsic.txt"):
        rows = path.read_text().splitlines()
        path.write_text("\n".join([*rows, *(row.replace(" 0 ", " 1 ", 1) for row in rows[1:])]) + "\n")
    lists = data_root / "splits"
    (lists / "eigen_zhou").mkdir(parents=True)
    (lists / "eigen").mkdir()
    lines = [f"2011_09_28/2011_09_28_drive_0001_sync {frame} l" for frame in range(3)]
    (lists / "eigen_zhou" / "train_files.txt").write_text("\n".join(lines))
    val = (data_root / "kitti" / "val.txt").read_text().splitlines()
    (lists / "eigen_zhou" / "val_files.txt").write_text("\n".join(val[1:]))
    (lists / "eigen" / "test_files.txt").write_text(val[0])
    return data_root


@pytest.mark.slow
def test_description_runs_on_its_layout(full_layout: Path, tmp_path: Path, cli: Cli) -> None:
    call = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "description.yaml", *SMALLEST)
    result = cli(*call, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 0, result.err
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/l1_4", "train/l1_8", "train/l1_16", "train/l1_32", "train/loss"} <= set(header)


def test_description_uses_the_description() -> None:
    section = yaml.safe_load((EXPERIMENTS / "description.yaml").read_text())["model"]["init_args"]
    assert section["network"]["init_args"]["encoder"] == "resnet18"
    assert section["loss"]["init_args"] == {"scales": [4, 8, 16, 32], "weights": [0.5, 0.25, 0.125, 0.125]}


def test_sweep_calls_what_it_says(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """wandb's own expansion of the sweep's command, with one draw of its parameters, trains."""
    monkeypatch.chdir(ROOT)
    (data_root / "vkitti").rename(data_root / "streets")
    (data_root / "photos").rename(data_root / "kitti_images")
    (data_root / "kitti" / "splits").mkdir()
    for split in ("val", "test"):
        shutil.copy(data_root / "kitti" / f"{split}.txt", data_root / "kitti" / "splits" / f"{split}_files.txt")
    sweep = yaml.safe_load((EXPERIMENTS / "sweeps" / "first.yaml").read_text())
    draw = {key: {"value": first_value(spec)} for key, spec in sweep["parameters"].items()}
    expanded = create_sweep_command_args({"args": draw})
    arguments = tmp_path / "arguments.json"
    arguments.write_text(expanded["args_json"][0])
    macro = {"${args_json_file}": str(arguments)}
    command = [macro.get(part, part) for part in create_sweep_command(sweep["command"])]
    assert command[:2] == ["pocketdepth", "fit"]
    run = tmp_path / "run"
    result = cli(*command[1:], *SMALLEST, "--trainer.default_root_dir", run)
    assert result.status == 0, result.err
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["init_args"]["network"]["init_args"]["encoder"] == "tf_efficientnet_lite0"
    assert config["model"]["init_args"]["optimizer"]["init_args"]["lr"] == pytest.approx(1e-4)
    assert config["data"]["init_args"]["style"]["init_args"]["probability"] == 0.0
    assert sweep["metric"]["name"] in (run / "metrics.csv").read_text().splitlines()[0].split(",")


def first_value(spec: dict[str, Any]) -> Any:
    return spec["values"][0] if "values" in spec else spec["min"]


@pytest.mark.slow
def test_make_quickstart_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """The calls of `make quickstart`, as the Makefile prints them, on fewer steps."""
    printed = subprocess.run(
        ["make", "-n", "quickstart", f"RUN={tmp_path}/q"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    calls = [shlex.split(line)[1:] for line in printed.splitlines() if line.startswith(".venv/bin/pocketdepth ")]
    assert [call[0] for call in calls] == ["fit", "test", "export", "quantize", "benchmark", "predict"]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("POCKETDEPTH_DATA", "data")
    for call in calls:
        extra = ["--trainer.max_steps", "4", "--trainer.val_check_interval", "4"] if call[0] == "fit" else []
        result = cli(*call, *extra)
        assert result.status == 0, (call, result.err)
    assert (tmp_path / "q" / "benchmark" / "benchmark.png").is_file()
    assert len(list((tmp_path / "q" / "predictions").rglob("*.npy"))) == 24


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="alone"),
        *(pytest.param([name], id=name, marks=pytest.mark.slow) for name in OVERLAYS if name not in ("small", "wandb")),
    ],
)
def test_streets_to_kitti_runs_on_the_real_data(
    names: list[str], real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    files = (EXPERIMENTS / f"{name}.yaml" for name in ("base", "streets_to_kitti", *names))
    chain = [part for file in files for part in ("-c", file)]
    result = cli("fit", *chain, *SMALLEST, "--trainer.default_root_dir", tmp_path / "run")
    assert result.status == 0, result.err
    results = json.loads((tmp_path / "run" / "fit.json").read_text())["results"]
    assert results["val step 2 kitti-eigen"]["frames"] == 17
