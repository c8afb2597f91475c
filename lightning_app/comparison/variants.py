"""The variants that ``pocketdepth compare`` trains: YAMLs, or entries of a table of variants.

A table is a YAML with a ``variants`` mapping, names -> overrides of an experiment as nested YAML or dotted keys::

    variants:
      shallow: {model.network.output_stride: 16}
      deep: {model: {init_args: {network: {init_args: {output_stride: 2}}}}}

``FILE.yaml`` stands for all of them, ``FILE.yaml:NAME`` for one.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lightning_app.config import read_yaml
from lightning_app.experiments import use_yaml
from lightning_app.files import atomic_write


class Variant(NamedTuple):
    """Overrides of an experiment.

    Attributes:
        name: of its runs' folder.
        path: the YAML it stands in.
        overrides: its entry of the table; None where the whole YAML is the variant.
    """

    name: str
    path: Path
    overrides: dict[str, Any] | None = None


def read_variants(given: Sequence[Path], only: Sequence[str] = ()) -> list[Variant]:
    """The variants of YAMLs and tables, in their order.

    Args:
        given: a YAML for each variant, a table, or ``TABLE.yaml:NAME``.
        only: names of the variants to keep, in this order; all if left out.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: not a YAML, a table that does not fit, a name that no variant has or that two have.
    """
    found = [variant for path in given for variant in _read(path)]
    names = [variant.name for variant in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two variants are called {twice[0]}: their runs would share a folder")
    by_name = dict(zip(names, found, strict=True))
    return [_pick(by_name, name, "--only") for name in only] or found


def read_config(given: Sequence[Path]) -> list[Variant]:
    """The YAMLs below all variants; of a table one entry each, ``TABLE.yaml:NAME``.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: not a YAML, or a whole table.
    """
    found = []
    for path in given:
        variants = _read(path)
        if len(variants) > 1:
            raise ValueError(f"-c {path}: a table of variants; give one of them, e.g. {path}:{variants[0].name}")
        found += variants
    return found


def write_variants(variants: Sequence[Variant], folder: Path) -> list[Path]:
    """A YAML for each variant: its own, or ``NAME.yaml`` in a folder for an entry of a table."""
    paths = []
    for variant in variants:
        path = variant.path
        if variant.overrides is not None:
            path = folder / f"{variant.name}.yaml"
            with atomic_write(path) as temporary:
                temporary.write_text(yaml.safe_dump(variant.overrides, sort_keys=False))
        paths.append(path)
    return paths


def _read(given: Path) -> list[Variant]:
    file, _, name = str(given).rpartition(":")
    one = bool(file) and not given.is_file()
    path = use_yaml(Path(file) if one else given)
    content = read_yaml(path)
    if not isinstance(content, dict) or "variants" not in content:
        if one:
            raise ValueError(f"{path}: no table of variants, so there is no {name!r} in it")
        return [Variant(path.stem, path)]
    table = content["variants"]
    if not isinstance(table, dict) or not table or list(content) != ["variants"]:
        raise ValueError(
            f"{path}: a table of variants is a mapping `variants` from names to overrides, and nothing else"
        )
    variants = {str(key): _entry(path, str(key), overrides) for key, overrides in table.items()}
    return [_pick(variants, name, str(path))] if one else list(variants.values())


def _entry(path: Path, name: str, overrides: Any) -> Variant:
    if not isinstance(overrides, dict | None):
        raise ValueError(f"{path}: variant {name} is {overrides!r}, not a mapping of overrides")
    if Path(name).name != name:
        raise ValueError(f"{path}: variant {name!r} cannot name a folder")
    return Variant(name, path, overrides or {})


def _pick(variants: dict[str, Variant], name: str, source: str) -> Variant:
    if name not in variants:
        close = difflib.get_close_matches(name, variants, n=1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(variants)}"
        raise ValueError(f"{source}: no variant {name!r}; {known}")
    return variants[name]
