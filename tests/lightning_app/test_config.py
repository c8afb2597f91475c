"""YAML -> objects."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from lightning_app.config import build, parse_yaml, read_data_module, read_sections
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml


@dataclass(frozen=True)
class Inner:
    """A setting below another."""

    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    """Settings that are not a module's."""

    size: tuple[int, int]
    inner: Inner = field(default_factory=Inner)
    by_name: dict[str, float] = field(default_factory=dict)


def test_sections_are_merged_as_fit_merges_them(cli: Cli, data_root: Path, tmp_path: Path) -> None:
    tiny = tiny_yaml(tmp_path / "tiny.yaml")
    last = tmp_path / "last.yaml"
    last.write_text("data: {init_args: {size: [64, 128], workers: 1}}\nother: 1\n")
    paths = [EXPERIMENTS / "base.yaml", tiny, last]
    module = read_data_module(paths)
    last.write_text("data: {init_args: {size: [64, 128], workers: 1}}\n")
    result = cli("fit", *(part for path in paths for part in ("-c", path)), "--print_config")
    expected = yaml.safe_load(result.out)["data"]["init_args"]
    assert [list(module.size), module.batch_size, module.workers] == [
        expected[key] for key in ("size", "batch_size", "workers")
    ]
    assert (module.size, module.workers) == ((64, 128), 1)


def test_another_class_path_takes_what_it_accepts() -> None:
    first = {"class_path": "models.DepthNet", "init_args": {"encoder": "test_efficientnet", "heads": 2}}
    network: Any = build(nn.Module, [first, {"init_args": {"heads": 1}}], "x.yaml")
    assert len(network.eval().multiscale(torch.zeros(1, 3, 64, 64))) == 1
    other: Any = build(nn.Module, [first, {"class_path": "models.PyDNet"}], "x.yaml")
    assert type(other).__name__ == "PyDNet"


def test_dataclasses_are_built_too() -> None:
    section = {"size": [1, 2], "inner": {"share": 1}, "by_name": {"b": 1, "a": 2}}
    built = build(Outer, [section], "x.yaml")
    assert built == Outer((1, 2), Inner(1.0), {"b": 1.0, "a": 2.0})
    assert list(built.by_name) == ["b", "a"]


@pytest.mark.parametrize(
    ("kind", "section", "message"),
    [
        (Outer, {}, "x.yaml: the following arguments are required: size"),
        (Outer, {"size": [1, 2], "inner": {"shar": 1}}, "x.yaml: it does not accept option 'inner.shar'"),
        (Outer, {"size": [1, 2], "inner": {"share": "a"}}, "x.yaml: inner.share: expected a number, got a"),
        (nn.Module, {"class_path": "models.DepthNet", "init_args": {"heads": "a"}}, "heads: expected a whole number"),
        (nn.Module, {"class_path": "models.Nothing"}, "x.yaml: module 'models' has no attribute 'Nothing'"),
        (nn.Module, {"class_path": "models.DepthNet", "init_args": {"head": 1}}, "'head' is not accepted"),
    ],
)
def test_sections_that_do_not_fit(kind: type, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^x\.yaml: ") as error:
        build(kind, [section], "x.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_sections_of_yamls(tmp_path: Path) -> None:
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text("data: {class_path: x}\n")
    second.write_text("model: {}\n")
    assert read_sections([second, first], "data") == [{"class_path": "x"}]
    with pytest.raises(ValueError, match=r"2\.yaml: no data section"):
        read_sections([second], "data")
    with pytest.raises(ValueError, match=r"^here:1: not YAML \(while"):
        parse_yaml("a: [", "here")


def test_reading_a_yaml_needs_no_torch() -> None:
    code = "import sys, lightning_app.config; assert not {'torch', 'pytorch_lightning'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
