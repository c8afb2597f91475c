"""Readers given on the command line, as a YAML or as a name with arguments."""

from __future__ import annotations

import importlib
import inspect
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

import datamodules
from datamodules import DepthDataModule, Reader
from lightning_app.config import read_data_module


def read_source(
    reader: str | None, arguments: Sequence[str], data: Sequence[Path], option: str = "--data"
) -> tuple[dict[str, Reader], DepthDataModule | None]:
    """Build one reader from its arguments, or all readers of YAMLs.

    Args:
        reader: name of a reader in ``datamodules``, or a class path; None to use ``data``.
        arguments: arguments of the reader, as on the command line, e.g. ``["--root", "streets"]``.
        data: YAMLs with a ``data`` section, instead of a reader; later files override earlier ones.
        option: option of the YAMLs on the command line, for errors.

    Returns:
        The readers by unique names, and the data module of the YAMLs or None.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: neither or both of ``reader`` and ``data`` are given, or one is invalid.
    """
    if (reader is None) == (not data):
        raise ValueError(f"name a reader with its arguments (VirtualKitti --root streets), or else give {option} YAML")
    if reader is not None:
        return {reader.rpartition(".")[2]: build_reader(reader, arguments)}, None
    if arguments:
        raise ValueError(f"{' '.join(arguments)}: cannot be combined with {option}")
    module = read_data_module(data)
    splits = {"train": module.train, "val": module.val, "test": module.test}
    names = {
        f"{split}{index + 1 if len(readers) > 1 else ''}": reader
        for split, readers in splits.items()
        for index, reader in enumerate(readers)
    }
    if not names:
        raise ValueError(f"{', '.join(map(str, data))}: its data section names no reader")
    return names, module


def build_reader(name: str, arguments: Sequence[str]) -> Reader:
    """Build a reader from its name or class path and its arguments on the command line.

    Raises:
        ValueError: no such reader, or invalid arguments.
    """
    found = _find(name)
    parser = ArgumentParser(prog=f"pocketdepth data ... {name}", exit_on_error=False)
    parser.add_class_arguments(found, fail_untyped=False)
    try:
        built = parser.instantiate_classes(parser.parse_args(list(arguments)))
    except ArgumentError as error:
        message = str(error).replace("Expected a <class 'collections.abc.Sequence'>", "expected a list: '[a, b]'")
        raise ValueError(f"{name}: {message}") from error
    return found(**built.as_dict())


def show_readers(name: str | None) -> None:
    """Print a list of all readers, or the arguments, description and layout of one.

    Raises:
        ValueError: no such reader.
    """
    if name is not None:
        reader = _find(name)
        signature = str(inspect.signature(reader, eval_str=True)).removesuffix(" -> None")
        signature = signature.replace("collections.abc.", "").replace("typing.", "")
        print(f"{reader.__name__}{signature}\n\n{inspect.getdoc(reader)}\n\nExpected layout: {reader.layout}.")
        return
    for known in _known():
        print(f"{known:16}{(inspect.getdoc(getattr(datamodules, known)) or '').splitlines()[0]}")


def _find(name: str) -> type[Reader]:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module) if module else datamodules, attribute, None)
    except (ImportError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Reader)) or found is Reader:
        raise ValueError(f"no reader {name!r}; there are {', '.join(_known())}")
    return found


def _known() -> list[str]:
    return [name for name in datamodules.__all__ if _is_reader(getattr(datamodules, name))]


def _is_reader(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, Reader) and item is not Reader
