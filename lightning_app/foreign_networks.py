"""Build the network that a checkpoint describes, and nothing else: a checkpoint may come from anybody."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from jsonargparse import Namespace
from torch import nn
from torch.nn import functional as F

from lightning_app.config import build
from lightning_app.error_messages import one_line

_OUR_TOOLS = ("deploy", "lightning_app")  # their modules open the files that their arguments name
_NARROWED = "models.with_pruned_channels"  # the only function that a description may call


def build_network(section: Any, members: tuple[str, ...], source: str) -> nn.Module:
    """Build a network from its description. No file or URL in the description is opened by this project's classes.

    Every ``class_path`` in it, nested ones too, must be a subclass of ``nn.Module``. A function among the arguments
    must be defined next to one of these classes or in ``torch.nn.functional``.

    Args:
        section: ``class_path`` and ``init_args`` of the network.
        members: attributes that the class of the network must have.
        source: the checkpoint, for errors.

    Raises:
        ValueError: the description is damaged, or names something that is not a network or not installed.
    """

    def check(parsed: Any) -> None:
        outer = parsed
        while outer.class_path == _NARROWED and isinstance(outer.init_args.network, Namespace):
            outer = outer.init_args.network
        kind = _network_class(outer.class_path)
        missing = [name for name in members if not hasattr(kind, name)]
        if missing:
            raise ValueError(f"{outer.class_path} is not a depth network: it has no {missing[0]!r}")
        classes = [_network_class(path) for path in _class_paths(parsed) if path != _NARROWED]
        _refuse_functions(section, parsed, {sys.modules[each.__module__] for each in classes})

    if not isinstance(section, dict) or not isinstance(section.get("class_path"), str):
        raise ValueError(f"{source}: its network has no class_path; it is damaged or was written by another program")
    try:
        return build(nn.Module, [section], source, check)
    except Exception as error:  # constructors raise anything for damaged arguments
        reason = one_line(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {one_line(error)}"
        reason = reason.removeprefix(f"{source}: ")
        raise ValueError(f"{source}: its network {section['class_path']} cannot be built: {reason}") from error


def _network_class(path: str) -> type[nn.Module]:
    """The class of an import path. Raises ValueError if a checkpoint may not name it."""
    module, _, name = path.rpartition(".")
    kind = getattr(import_module(module), name)
    if not (inspect.isclass(kind) and issubclass(kind, nn.Module)) or kind.__module__.split(".")[0] in _OUR_TOOLS:
        others = " and ".join(_OUR_TOOLS)
        raise ValueError(f"{path} is not built from a checkpoint; only subclasses of nn.Module outside of {others} are")
    return kind


def _class_paths(parsed: Any) -> Iterator[str]:
    """All ``class_path`` of a parsed description."""
    if isinstance(parsed, Namespace):
        parsed = vars(parsed)
    if isinstance(parsed, dict):
        if "class_path" in parsed:
            yield str(parsed["class_path"])
        for each in parsed.values():
            yield from _class_paths(each)
    elif isinstance(parsed, list | tuple | set):
        for each in parsed:
            yield from _class_paths(each)


def _refuse_functions(given: Any, parsed: Any, modules: set[Any]) -> None:
    """Raise ValueError for a class or function that a string of the description was resolved to, see `build_network`.

    Defaults of a constructor are not checked, because the description does not name them.
    """
    if isinstance(parsed, Namespace):
        parsed = vars(parsed)
    if isinstance(given, dict) and isinstance(parsed, dict):
        for key in given.keys() & parsed.keys():
            _refuse_functions(given[key], parsed[key], modules)
    elif isinstance(given, list | tuple) and isinstance(parsed, list | tuple):
        for ours, theirs in zip(given, parsed, strict=False):
            _refuse_functions(ours, theirs, modules)
    elif inspect.isclass(parsed):
        _network_class(f"{parsed.__module__}.{parsed.__qualname__}")
    elif callable(parsed):
        name = getattr(parsed, "__name__", "")
        if not any(getattr(module, name, None) is parsed for module in (F, *modules)):
            raise ValueError(f"{given} is not a function of the network's own file or of torch.nn.functional")
