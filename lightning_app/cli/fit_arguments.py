"""Check the arguments of the verbs that start from YAMLs, before torch is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from lightning_app.comparison.variants import read_config, read_variants
from lightning_app.config import read_yaml
from lightning_app.config_check import TOP, ConfigCheck
from lightning_app.experiments import use_yaml

_YAML_OPTIONS = ("-c", "--config")
# Options of LightningCLI that are no keys, with or without a value.
_OTHERS = r"-h|--help|--print_config(=.*)?|--print_shtab(=.*)?|--[\w.]+\.help(=.*)?"
# Keys of YAMLs that are no experiments, and what they are for.
_OTHER_YAMLS = (
    (
        {"variants", "size"},
        "a plan of ship, not an experiment; run `pocketdepth ship CHECKPOINT -c {0}`",
    ),
    ({"variants"}, "a table of variants, not an experiment; run `pocketdepth compare {0} -c base.yaml`"),
    ({"parameters", "method"}, "a sweep, not an experiment; run `wandb sweep {0}`"),
    ({"class_path"}, "the settings of one object, not an experiment; a teacher's go to `label --settings {0}`"),
    ({"scenes", "frames"}, "settings of data render, not an experiment; run `pocketdepth data render -c {0}`"),
    ({"devices"}, "targets, not an experiment; run `pocketdepth targets MODEL --targets {0}`"),
)


def check_fit_arguments(verb: str, arguments: Sequence[str], check: ConfigCheck | None = None) -> None:
    """Check arguments of ``fit``, ``validate`` or ``test``.

    Args:
        verb: the verb, for advice.
        arguments: the arguments after it.
        check: what is known of YAMLs before them.

    Raises:
        FileNotFoundError: a YAML or a checkpoint is missing.
        ImportError: a class path names a module that does not exist.
        ValueError: a file that is no experiment; an unknown key, class or option; a value that must be a number and is
            none.
    """
    check = check or ConfigCheck()
    options = list(_options(arguments))
    yamls = [value for name, value in options if name in _YAML_OPTIONS]
    contents = {path: _content(path) for path in yamls}
    if None in contents.values():  # a pipe or a URL may hold anything
        return
    for name, value in options:
        if name in _YAML_OPTIONS:
            _add(check, contents[value] or {}, value, f"pocketdepth {verb} -c base.yaml -c")
        else:
            check.set(name.removeprefix("--"), _parsed(value))
    check.require_checkpoints()
    missing = [name for name in ("model", "data") if name not in check.classes]
    if missing and not any(re.fullmatch(_OTHERS, argument) for argument in arguments):
        given = " ".join(f"-c {path}" for path in yamls) or "-c quickstart.yaml"
        raise ValueError(f"no YAML names a {missing[0]}; give base.yaml first: pocketdepth {verb} -c base.yaml {given}")


def check_variants(
    config: Sequence[Path], variants: Sequence[Path], arguments: Sequence[str], only: Sequence[str] = ()
) -> None:
    """Check the YAMLs, tables and arguments of ``compare``; raises errors like :func:`check_fit_arguments`."""
    below = read_config(config)
    for variant in read_variants(variants, only):
        check = ConfigCheck()
        for each in (*below, variant):
            content = _content(str(each.path)) if each.overrides is None else each.overrides
            source = str(each.path) if each.overrides is None else f"{each.path}:{each.name}"
            _add(check, content or {}, source, "pocketdepth compare VARIANT -c base.yaml -c")
        check_fit_arguments("compare", arguments, check)


def with_c(paths: Sequence[Path]) -> list[str]:
    """YAMLs as arguments of ``fit``."""
    return [word for path in paths for word in ("-c", str(path))]


def check_data(paths: Sequence[Path]) -> None:
    """Check the data sections of YAMLs; raises errors like :func:`check_fit_arguments`."""
    check = ConfigCheck()
    for path in paths:
        content = _content(str(path))
        if content is None:
            return
        _add(check, content, str(path), "--data base.yaml --data", ("data",))


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Split arguments into names and values."""
    words, name = list(arguments), ""
    while words:
        word = words.pop(0)
        if re.fullmatch(_OTHERS, word):
            continue
        if not word.startswith("-"):
            raise ValueError(_stray(word, name))
        name, equals, value = word.partition("=")
        if not equals:
            following = words[0] if words else None
            if following is None or (following.startswith("-") and not re.match(r"-[\d.]", following)):
                raise ValueError(f"{name}: its value is missing")
            value = words.pop(0)
        if name.startswith("--") or name in _YAML_OPTIONS:
            yield name, value
        else:
            raise ValueError(f"{name}: no such option; YAMLs are given with -c, keys with two dashes")


def _stray(word: str, before: str) -> str:
    if word.endswith((".yaml", ".yml")):
        return f"{word}: give -c before each YAML: -c {word}"
    if before and before not in _YAML_OPTIONS:
        return f"{word}: {before} takes one value; write a list in brackets, e.g. {before} [1,2]"
    return f"{word}: not an option; an experiment is given as -c FILE.yaml, a key as --key value"


def _content(value: str) -> dict[str, Any] | None:
    """Content of an experiment; None for what can be read only once or not at all, such as a pipe or a URL."""
    if "://" in value or value.lstrip().startswith("{"):
        return None
    path = use_yaml(Path(value))
    if not path.is_file():
        return None
    content = read_yaml(path)
    if content is None:
        raise ValueError(f"{value}: is empty, or all of it is commented out: it has no data section and no other")
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "text"
        raise ValueError(f"{value}: {kind}, not a mapping of the sections trainer, model and data")
    for keys, what in _OTHER_YAMLS:
        if keys <= content.keys() and not content.keys() & set(TOP[:2]):
            if "parameters" in keys:
                _check_sweep(content, value)
            raise ValueError(f"{value}: {what.format(value)}")
    return content


def _check_sweep(sweep: dict[str, Any], path: str) -> None:
    """Check every key and value of a sweep, of which a run draws only some."""
    command, parameters, check = sweep.get("command") or [], sweep.get("parameters") or {}, ConfigCheck()
    for option, yaml_path in pairwise(command):
        if option in _YAML_OPTIONS and not str(yaml_path).startswith("${"):
            _add(check, _content(str(yaml_path)) or {}, str(yaml_path), "the command needs -c base.yaml before -c")
    for key, spec in parameters.items():
        drawn = spec if isinstance(spec, dict) else {"value": spec}
        for each in (*(drawn.get("values") or ()), *(drawn[name] for name in ("value", "min", "max") if name in drawn)):
            check.set(str(key), each, f"{path}: parameters: ")


def _add(check: ConfigCheck, content: dict[str, Any], path: str, base: str, sections: tuple[str, ...] = TOP) -> None:
    """Add a YAML; raise ValueError for settings of a model or data whose class no YAML has named yet.

    ``base`` is the command with base.yaml before the YAML, for advice.
    """
    for name in ("model", "data"):
        section = content.get(name) if name in sections else None
        if isinstance(section, dict) and "class_path" not in section and name not in check.classes:
            raise ValueError(f"{path}: its {name} section names no class_path; give base.yaml before it: {base} {path}")
    check.add(content, path, sections)


def _parsed(value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value
