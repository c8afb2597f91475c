"""Variants of ``pocketdepth compare``: YAMLs, or entries of a table of variants.

A table is a YAML with a mapping ``variants`` from names to overrides of an experiment, as nested YAML or dotted keys::

    variants:
      shallow: {model.network.output_stride: 16}
      deep: {model: {init_args: {network: {init_args: {output_stride: 2}}}}}

``FILE.yaml`` selects all variants of a table, ``FILE.yaml:NAME`` one of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lightning_app.config import read_yaml
from lightning_app.experiments import use_yaml
from lightning_app.files import atomic_write, require_names


class Variant(NamedTuple):
    """A variant of an experiment.

    Attributes:
        name: name of the variant, and of the folder of its runs.
        path: YAML of the variant or of the table.
        overrides: entry of the table; None if the YAML is not a table.
    """

    name: str
    path: Path
    overrides: dict[str, Any] | None = None


def read_variants(given: Sequence[Path], only: Sequence[str] = ()) -> list[Variant]:
    """Read the variants of YAMLs and tables, in their order.

    Args:
        given: YAMLs of variants, tables, or ``TABLE.yaml:NAME``.
        only: names of the variants to keep, in this order; empty for all.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: not YAML, an invalid table, or a duplicate or unknown name.
    """
    found = [variant for path in given for variant in _read(path)]
    names = [variant.name for variant in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two variants are called {twice[0]}: their runs would share a folder")
    require_names(names, "variant")
    by_name = dict(zip(names, found, strict=True))
    return [_pick(by_name, name, "--only") for name in only] or found


def read_config(given: Sequence[Path]) -> list[Variant]:
    """Read the YAMLs below all variants. A table is allowed only with a name, ``TABLE.yaml:NAME``.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: not YAML, or a table without a name.
    """
    found = []
    for path in given:
        variants = _read(path)
        if len(variants) > 1:
            raise ValueError(f"-c {path}: a table of variants; give one of them, e.g. {path}:{variants[0].name}")
        found += variants
    return found


def write_variants(variants: Sequence[Variant], folder: Path) -> list[Path]:
    """Write entries of tables to ``NAME.yaml`` in a folder. Returns the YAML of each variant."""
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
            raise ValueError(f"{path}: not a table of variants; leave out :{name}")
        return [Variant(path.stem, path)]
    table = content["variants"]
    if not isinstance(table, dict) or not table or list(content) != ["variants"]:
        raise ValueError(
            f"{path}: a table of variants must be a mapping `variants` from names to overrides, without other keys"
        )
    require_names(map(_as_text, table), f"{path}: variant")
    variants = {str(key): _entry(path, str(key), overrides) for key, overrides in table.items()}
    return [_pick(variants, name, str(path))] if one else list(variants.values())


def _entry(path: Path, name: str, overrides: Any) -> Variant:
    if not isinstance(overrides, dict | None):
        raise ValueError(f"{path}: variant {name} must be a mapping of overrides, not {overrides!r}")
    return Variant(name, path, overrides or {})


def _as_text(key: Any) -> Any:
    """Key of a table as text if it is a number, e.g. ``16``."""
    return str(key) if type(key) in (int, float) else key


def _pick(variants: dict[str, Variant], name: str, source: str) -> Variant:
    if name not in variants:
        close = difflib.get_close_matches(name, variants, n=1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(variants)}"
        raise ValueError(f"{source}: no variant {name!r}; {known}")
    return variants[name]
