"""The wheel: complete, and enough to work from anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import TINY
from tests.helpers.fake_data import write_kitti, write_vkitti
from tests.test_architecture import PACKAGES, ROOT

EXPERIMENTS = sorted(path.relative_to(ROOT / "experiments").as_posix() for path in ROOT.glob("experiments/**/*.yaml"))
DATA = {
    "deploy/devices/arm.sh",
    "deploy/devices/targets.yaml",
    "deploy/export/model_card.md",
    "deploy/shipping/report.html",
}
OWN = """
from datamodules import VirtualKitti
from losses import SILog


class MyReader(VirtualKitti):
    pass


class MyLoss(SILog):
    pass
"""
OWN_YAML = """
trainer: {max_steps: 2}
model: {init_args: {loss: {class_path: own.MyLoss}}}
data: {init_args: {train: [{class_path: own.MyReader, init_args: {root: vkitti}}]}}
"""


def test_pyproject_lists_every_package_and_its_files() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    files = [path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*")]
    files = [path for path in files if (ROOT / path).is_file() and "__pycache__" not in path.parts]
    packages = {".".join(path.parent.parts) for path in files if path.suffix == ".py"}
    assert setuptools["packages"] == sorted(packages)
    listed = {f"{name.replace('.', '/')}/{file}" for name, data in setuptools["package-data"].items() for file in data}
    assert listed == {path.as_posix() for path in files if path.suffix != ".py"} == DATA


def call(*command: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "WANDB_MODE": "offline"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def build(hook: str, source: Path, output: Path) -> Path:
    """What one of the build backend's hooks writes."""
    code = f"import sys, setuptools.build_meta as backend; print(backend.{hook}(sys.argv[1]))"
    return output / call("-c", code, output, cwd=source).splitlines()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, so that nothing is built in it."""
    folder = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, "experiments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call("-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation", "-w", folder, ".", cwd=source)
    (path,) = folder.glob("*.whl")
    return path


def content(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_the_experiments(wheel: Path) -> None:
    modules = {path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    experiments = {f"lightning_app/packaged_experiments/{name}" for name in EXPERIMENTS}
    assert content(wheel) == modules | DATA | experiments


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(build("build_sdist", source, tmp_path), tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert content(build("build_wheel", unpacked, tmp_path)) == content(wheel)


@pytest.mark.slow
def test_an_editable_install_is_a_path_alone(source: Path, tmp_path: Path) -> None:
    """A finder would hide the packages from type checkers, and copied experiments would grow old."""
    editable = build("build_editable", source, tmp_path)
    assert content(editable) == {"__editable__.pocketdepth-0.1.0.pth"}
    with zipfile.ZipFile(editable) as archive:
        assert archive.read("__editable__.pocketdepth-0.1.0.pth").decode().split() == [str(source)]


@pytest.mark.slow
def test_an_installed_wheel_works_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    installed, folder = tmp_path / "installed", tmp_path / "folder"
    call("-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", installed, wheel, cwd=tmp_path)
    mine = folder / "mine"
    mine.mkdir(parents=True)
    write_vkitti(folder / "data" / "vkitti")
    write_kitti(folder / "data" / "kitti")
    (mine / "own.py").write_text(OWN)
    (mine / "tiny.yaml").write_text(TINY)
    (mine / "own.yaml").write_text(OWN_YAML)

    def pocketdepth(*arguments: object, cwd: Path = folder, program: tuple[object, ...] = ()) -> str:
        # -S reads no .pth file, so that an editable install beside the dependencies is not seen.
        path = os.pathsep.join([str(installed), sysconfig.get_path("purelib")])
        call_it = program or (installed / "bin" / "pocketdepth",)
        environment = {"PYTHONPATH": path, "POCKETDEPTH_DATA": str(folder / "data")}
        return call("-S", *call_it, *arguments, cwd=cwd, **environment)

    where = pocketdepth(program=("-c", "import lightning_app, models; print(lightning_app.__file__, models.__file__)"))
    assert where.split() == [str(installed / name / "__init__.py") for name in ("lightning_app", "models")]
    assert not (installed / "experiments").exists()

    assert pocketdepth("--version", program=("-m", "lightning_app")).startswith("pocketdepth 0.1.0")
    listed = [line.split()[0] for line in pocketdepth("experiments").splitlines() if line.startswith("  ")]
    assert sorted(listed) == EXPERIMENTS
    pocketdepth("experiments", "--copy", "copies")
    assert (folder / "copies" / "base.yaml").read_text() == (ROOT / "experiments" / "base.yaml").read_text()

    chain = ("-c", "base.yaml", "-c", "mine/tiny.yaml", "-c", "mine/own.yaml")
    config = yaml.safe_load(pocketdepth("fit", *chain, "--print_config"))
    assert config["model"]["init_args"]["loss"]["class_path"] == "own.MyLoss"
    pocketdepth("fit", *chain)
    (run,) = (folder / "runs" / "own").iterdir()
    checkpoint = run / "checkpoints" / "best.ckpt"
    saved = torch.load(checkpoint, weights_only=True)
    assert saved["hyper_parameters"]["loss"]["class_path"] == "own.MyLoss"
    pocketdepth("export", checkpoint, "--output", "depth.onnx", cwd=mine)  # the working folder holds own.py
    data = [part for name in ("base", "mine/tiny", "mine/own") for part in ("--data", f"{name}.yaml")]
    for model in (checkpoint, mine / "depth.onnx"):
        assert "abs_rel" in pocketdepth("evaluate", model, *data)
