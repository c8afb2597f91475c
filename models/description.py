"""Descriptions of networks: the ``class_path`` and ``init_args`` that build them, as in a YAML."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from types import FunctionType
from typing import Any, Self

from torch import nn


class Described(nn.Module):
    """A module that remembers how it was made, so that a checkpoint can name its class and arguments.

    Attributes:
        description: ``class_path`` and ``init_args``; None if an argument cannot be described.
        not_described: why there is no description.
    """

    description: dict[str, Any] | None
    not_described: str

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Create the module and describe the arguments, which ``__init__`` gets as well."""
        module = super().__new__(cls)
        description, reason = None, ""
        try:
            description = _call(cls, args, kwargs)
        except ValueError as error:
            reason = str(error)
        # nn.Module accepts attributes only after its __init__.
        object.__setattr__(module, "description", description)
        object.__setattr__(module, "not_described", reason)
        return module


def describe(value: Any) -> Any:
    """Describe a value as plain data: numbers, strings, lists, dictionaries, import paths, ``class_path`` sections.

    Raises:
        ValueError: the value cannot be described, with the reason.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [describe(each) for each in value]
    if isinstance(value, dict):
        return {str(key): describe(each) for key, each in value.items()}
    if isinstance(value, type | FunctionType):
        return import_path(value)
    if isinstance(value, functools.partial):
        if value.args:
            raise ValueError(f"the arguments of functools.partial({value.func.__name__}) must be named")
        return {"class_path": import_path(value.func), "init_args": describe(value.keywords)}
    kind = type(value).__name__
    if not isinstance(value, nn.Module):
        raise ValueError(f"a {kind} cannot be described in a checkpoint")
    if not isinstance(value, Described):
        raise ValueError(f"{kind} does not record its arguments; derive it from models.DepthNetwork")
    if value.description is None:
        raise ValueError(value.not_described)
    return value.description


def import_path(value: Any) -> str:
    """The shortest import path of a class or function, e.g. ``models.DepthNet``.

    Raises:
        ValueError: it cannot be imported: a lambda, a local name, or a name of the script itself.
    """
    module, name = value.__module__, value.__qualname__
    if not name.isidentifier() or name == "<lambda>":
        raise ValueError(f"{name} cannot be imported; define it at the top of a file")
    if module == "__main__":
        raise ValueError(f"{name} is defined in the script itself; move it to a file of its own and import it")
    parts = module.split(".")
    packages = [".".join(parts[:number]) for number in range(1, len(parts) + 1)]
    shortest = next(each for each in packages if getattr(sys.modules.get(each), name, None) is value or each == module)
    return f"{shortest}.{name}"


def _call(kind: type[nn.Module], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Describe the construction of a module. Copying and unpickling construct it without arguments."""
    signature = inspect.signature(kind.__init__)
    bound = signature.bind_partial(None, *args, **kwargs).arguments
    given: dict[str, Any] = {}
    for name, value in list(bound.items())[1:]:
        how = signature.parameters[name].kind
        if how is inspect.Parameter.VAR_POSITIONAL and value:
            raise ValueError(f"the arguments *{name} of {kind.__name__} have no names")
        given |= value if how is inspect.Parameter.VAR_KEYWORD else {name: value}
    return {"class_path": import_path(kind), "init_args": describe(given)}
