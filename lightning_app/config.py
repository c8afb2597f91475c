"""Build objects from YAML. torch is imported only to build a data module."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Callable, Sequence
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
    """Build a data module from the ``data`` sections of YAMLs. Other sections are ignored.

    Args:
        paths: YAMLs; later files override earlier ones.
        training: whether to build style transfer and teacher too. Only training uses them, and their files may be
            missing.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no data section, or an invalid one.
    """
    return build_data_module(read_sections(paths, "data"), ", ".join(map(str, paths)), training)


def read_sections(paths: Sequence[Path], name: str) -> list[dict[str, Any]]:
    """The section ``name`` of each YAML that has one, to be merged by :func:`build`.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no such section, or no class_path in it.
    """
    sections = []
    for path in paths:
        content = read_yaml(path)
        section = content.get(name, {}) if isinstance(content, dict) else {}
        if not isinstance(section, dict):
            raise ValueError(f"{path}: its {name} section is empty or not a mapping")
        if section:
            sections.append(section)
    if not sections:
        raise ValueError(f"{', '.join(map(str, paths))}: no {name} section")
    if not any("class_path" in section for section in sections):
        raise ValueError(f"{paths[0]}: its {name} section names no class_path; give base.yaml before it")
    return sections


def read_yaml(path: Path) -> Any:
    """Read a YAML file. Raises FileNotFoundError if it is missing, ValueError if it is not YAML."""
    path = use_yaml(path)
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not YAML ({error})") from error


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML text. Raises ValueError, with its source and line, if it is not YAML or has a key twice."""
    try:
        return yaml.load(with_new_names(text), _Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = " ".join(f"{error.context or ''} {error.problem}".split())
        advice = "; indent with spaces, not with tabs" if "'\\t'" in problem else ""
        raise ValueError(f"{source}{line}: not YAML ({problem}){advice}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: not YAML ({' '.join(str(error).split())})") from error


class _Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, of which YAML would keep the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping, and compare its keys before ``<<`` adds others."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node


def build_data_module(sections: Sequence[dict[str, Any]], source: str, training: bool = False) -> DepthDataModule:
    """Build a data module from data sections.

    Args:
        sections: data sections; later sections override earlier ones.
        source: name of their source, for errors.
        training: whether to build style transfer and teacher too.

    Raises:
        ValueError: an invalid section.
    """
    from pytorch_lightning import LightningDataModule

    from datamodules import DepthDataModule

    needed = sections if training else [_without_training(each) for each in sections]
    module = build(LightningDataModule, needed, source)
    if not isinstance(module, DepthDataModule):
        raise ValueError(f"{source}: its data section is not a datamodules.DepthDataModule")
    return module


def build(
    kind: type[T], sections: Sequence[dict[str, Any]], source: str, check: Callable[[Any], None] = lambda parsed: None
) -> T:
    """Build an object from configuration.

    Args:
        kind: base class of the object, or a dataclass.
        sections: ``class_path`` and ``init_args`` of a subclass, or the fields of the dataclass. They are merged like
            several ``-c`` on the command line: later sections override earlier ones.
        source: name of the sections' source, for errors.
        check: called with the parsed sections before anything is built; raises ValueError to refuse them.

    Raises:
        ValueError: an invalid section.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--it", type=kind, required=True)
    parser.add_argument("--config", action="config")
    texts = [yaml.safe_dump({"it": section}, sort_keys=False) for section in sections]
    try:
        parsed = parser.parse_args([f"--config={text}" for text in texts])
        check(parsed.it)
        built: T = parser.instantiate_classes(parsed).it
    except Exception as error:
        if type(error) not in (ArgumentError, ValueError) and user_error(error) is None:
            raise
        # Remove the key "it", which exists only in this parser.
        reason = re.sub(r"^it: |\bit\.(init_args\.)?(?=\w)", "", one_line(error)).replace("Group 'it' does", "it does")
        raise ValueError(f"{source}: {reason}") from error
    return built


def _without_training(section: dict[str, Any]) -> dict[str, Any]:
    arguments = section.get("init_args")
    if not isinstance(arguments, dict):
        return section
    needed = {key: value for key, value in arguments.items() if key not in ("style", "teacher")}
    return section | {"init_args": needed}
