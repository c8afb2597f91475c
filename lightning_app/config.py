"""YAML -> objects. Imports torch to build a data module alone."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from jsonargparse import ArgumentParser

from lightning_app.error_messages import one_line, user_error
from lightning_app.experiments import use_yaml
from lightning_app.moved import with_new_names

if TYPE_CHECKING:
    from datamodules import DepthDataModule

T = TypeVar("T")


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
    return build_data_module(read_sections(paths, "data"), ", ".join(map(str, paths)), training)


def read_sections(paths: Sequence[Path], name: str) -> list[dict[str, Any]]:
    """The section of this name of each YAML that has one; the last one wins where :func:`build` builds them.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no such section, or one that names no class_path.
    """
    sections = []
    for path in paths:
        content = read_yaml(path)
        section = content.get(name, {}) if isinstance(content, dict) else {}
        if not isinstance(section, dict):
            raise ValueError(f"{path}: its {name} section is empty or no mapping")
        if section:
            sections.append(section)
    if not sections:
        raise ValueError(f"{', '.join(map(str, paths))}: no {name} section")
    if not any("class_path" in section for section in sections):
        raise ValueError(f"{paths[0]}: its {name} section names no class_path; give experiments/base.yaml before it")
    return sections


def read_yaml(path: Path) -> Any:
    """What a YAML holds; raises FileNotFoundError where there is none, ValueError where it is something else."""
    path = use_yaml(path)
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not YAML ({error})") from error


def parse_yaml(text: str, source: str) -> Any:
    """What the text of a YAML says; raises ValueError, naming its source, where it is something else."""
    try:
        return yaml.safe_load(with_new_names(text))
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: not YAML ({' '.join(str(error).split())})") from error


def build_data_module(sections: Sequence[dict[str, Any]], source: str, training: bool = False) -> DepthDataModule:
    """Build the data module of data sections, the later wins, for training or without what only that needs; raises
    ValueError, naming their source, where they do not fit.
    """
    from pytorch_lightning import LightningDataModule

    from datamodules import DepthDataModule

    needed = sections if training else [_without_training(each) for each in sections]
    module = build(LightningDataModule, needed, source)
    if not isinstance(module, DepthDataModule):
        raise ValueError(f"{source}: its data section is no datamodules.DepthDataModule")
    return module


def build(kind: type[T], sections: Sequence[dict[str, Any]], source: str) -> T:
    """An instance of a subclass of ``kind`` (``class_path``, ``init_args``), or of ``kind`` where that is a dataclass.

    Args:
        kind: the class.
        sections: descriptions of it, merged as the command line merges several ``-c``: the later wins.
        source: of the sections, for errors.

    Raises:
        ValueError: a section that does not fit.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--it", type=kind, required=True)
    parser.add_argument("--config", action="config")
    texts = [yaml.safe_dump({"it": section}, sort_keys=False) for section in sections]
    try:
        built: T = parser.instantiate_classes(parser.parse_args([f"--config={text}" for text in texts])).it
    except Exception as error:
        if not isinstance(error, ArgumentError) and user_error(error) is None:
            raise
        # Its keys begin with the name that the whole has in this parser.
        reason = re.sub(r"^it: |\bit\.(init_args\.)?(?=\w)", "", one_line(error)).replace("Group 'it' does", "it does")
        raise ValueError(f"{source}: {reason}") from error
    return built


def _without_training(section: dict[str, Any]) -> dict[str, Any]:
    arguments = section.get("init_args")
    if not isinstance(arguments, dict):
        return section
    needed = {key: value for key, value in arguments.items() if key not in ("style", "teacher")}
    return section | {"init_args": needed}
