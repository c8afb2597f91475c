"""YAML -> objects."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule

from datamodules import DepthDataModule
from lightning_app.error_messages import one_line
from lightning_app.experiments import use_yaml


def read_data_module(paths: Sequence[Path], training: bool = False) -> DepthDataModule:
    """Build the data module of one or several YAMLs, the later wins; their other sections are left alone.

    Args:
        paths: the YAMLs.
        training: with its style transfer and teacher, which only training needs, and which may lie in files that are
            not here.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no data section, or one that does not fit.
    """
    return build_data_module(read_section(paths, "data"), ", ".join(map(str, paths)), training)


def read_section(paths: Sequence[Path], name: str) -> dict[str, Any]:
    """A section of one or several YAMLs, the later wins.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no such section, or one that names no class_path.
    """
    section: dict[str, Any] = {}
    for path in paths:
        content = read_yaml(path)
        found = content.get(name, {}) if isinstance(content, dict) else {}
        if not isinstance(found, dict):
            raise ValueError(f"{path}: its {name} section is empty or no mapping")
        section = _merge(section, found)
    if not section:
        raise ValueError(f"{', '.join(map(str, paths))}: no {name} section")
    if "class_path" not in section:
        raise ValueError(f"{paths[0]}: its {name} section names no class_path; give experiments/base.yaml before it")
    return section


def read_yaml(path: Path) -> Any:
    """What a YAML holds; raises FileNotFoundError where there is none, ValueError where it is something else."""
    path = use_yaml(path)
    try:
        return yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a YAML ({error})") from error


def build_data_module(section: dict[str, Any], source: str, training: bool = False) -> DepthDataModule:
    """Build the data module of a data section, for training or without what only that needs; raises ValueError, naming
    its source, where it does not fit.
    """
    if not training and isinstance(section.get("init_args"), dict):
        unneeded = {name: None for name in ("style", "teacher") if section["init_args"].get(name)}
        section = _merge(section, {"init_args": unneeded})
    module = build(LightningDataModule, section, source)
    if not isinstance(module, DepthDataModule):
        raise ValueError(f"{source}: its data section is no datamodules.DepthDataModule")
    return module


def build(kind: type, section: dict[str, Any], source: str) -> Any:
    """An instance of a subclass of ``kind``; raises ValueError, naming the section's source, where it does not fit."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(kind, "it", required=True)
    try:
        return parser.instantiate_classes(parser.parse_object({"it": section})).it
    except ArgumentError as error:
        # Its keys begin with the name that it has in this parser.
        reason = re.sub(r"^it(: |\.init_args\.|\.)", "", one_line(error))
        raise ValueError(f"{source}: {reason}") from error


def _merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The second over the first, key by key, as the command line does it with several ``-c``."""
    both = {key: _merge(first[key], value) for key, value in second.items() if _nested(first.get(key), value)}
    return first | second | both


def _nested(first: Any, second: Any) -> bool:
    return isinstance(first, dict) and isinstance(second, dict)
