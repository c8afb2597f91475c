"""Arguments of classes, read from their source: importing it would import torch, which takes seconds.

What the source does not tell for sure is None, and left to the parser that imports the class.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

Definition = ast.ClassDef | ast.FunctionDef
_SCALARS = {"int", "float", "bool"}


class Found(NamedTuple):
    """A definition and the file that it stands in."""

    file: Path
    node: Definition


def definition(class_path: str) -> Found | None:
    """Find the definition of ``package.module.Name``; None if it cannot be found without running code."""
    module, _, name = class_path.rpartition(".")
    file = module_file(module) if module else None
    return _definition(file, name) if file else None


def names(module: str) -> list[str] | None:
    """All names that a module defines or imports; None if the source does not tell."""
    file = module_file(module)
    if file is None:
        return None
    found = [path.stem for path in file.parent.iterdir()] if file.name == "__init__.py" else []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ImportFrom | ast.Import):
            found += [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
    unknown = "*" in found or ("__getattr__" in found and not _typing(_tree(file)))
    return None if unknown else found


def parameters(class_path: str, method: str = "__init__") -> dict[str, ast.expr | None] | None:
    """Names and annotations of the arguments of a class or function; None if the source does not tell."""
    found = definition(class_path)
    return _parameters(found, method) if found else None


def scalar_types(annotation: ast.expr | None) -> set[str] | None:
    """Which of ``int``, ``float`` and ``bool`` an argument takes; None if it takes other types, too."""
    if annotation is None:
        return None
    nodes = list(ast.walk(annotation))
    named = {node.id for node in nodes if isinstance(node, ast.Name)} - {"Optional", "Union", "Tensor"}
    simple = not any(isinstance(node, ast.Attribute | ast.Call | ast.List) for node in nodes)
    return named if named and named <= _SCALARS and simple else None


def module_file(module: str) -> Path | None:
    """The source file of a module, without importing it or its package."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # imported already, by other means than a file
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin)
    for part in rest:
        if file.name != "__init__.py":
            return None
        below = (file.parent / part / "__init__.py", file.parent / f"{part}.py")
        existing = next((path for path in below if path.is_file()), None)
        if existing is None:
            return None
        file = existing
    return file


@cache
def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):  # importing it will say what is wrong
        return ast.parse("from unknown import *")


def _statements(tree: ast.Module) -> list[ast.stmt]:
    """Statements of a module; those of ``if TYPE_CHECKING:`` stand for names that it imports when they are used."""
    return [*tree.body, *(statement for each in _typing(tree) for statement in each.body)]


def _typing(tree: ast.Module) -> list[ast.If]:
    return [each for each in tree.body if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING"]


def _definition(file: Path, name: str) -> Found | None:
    """Find a definition in a file, or follow ``from MODULE import NAME``."""
    for node in _statements(_tree(file)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return Found(file, node)
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            source = _imported_from(file, node) if (alias.asname or alias.name) == name else None
            if source is not None and source != file:
                return _definition(source, alias.name)
    return None


def _imported_from(file: Path, node: ast.ImportFrom) -> Path | None:
    if not node.level:
        return module_file(node.module or "")
    folder = file.parents[node.level - 1]
    for part in (node.module or "").split("."):
        folder = folder / part
    return next((path for path in (folder / "__init__.py", folder.with_suffix(".py")) if path.is_file()), None)


def _parameters(found: Found, method: str) -> dict[str, ast.expr | None] | None:
    file, node = found
    if isinstance(node, ast.ClassDef):
        own = next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == method), None)
        if own is None:
            base = node.bases[0] if len(node.bases) == 1 and not node.decorator_list else None
            above = _definition(file, base.id) if isinstance(base, ast.Name) else None
            return _parameters(above, method) if above else None
        node = own
    arguments = node.args
    if arguments.kwarg is not None:
        return None
    each = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {argument.arg: argument.annotation for argument in each if argument.arg != "self"}
