"""What MkDocs generates: the reference of the command line and of the YAML keys, and two pages from files of the root.

A hook of MkDocs (``hooks`` in mkdocs.yml). ``docs/reference/`` holds the introductions, the rest is made in memory.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from docstring_parser import DocstringStyle, parse

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "datamodules",
    "models",
    "losses",
    "lightning_app.training",
    "lightning_app.callbacks",
    "deploy.inference",
    "deploy.quantization",
)
SECTIONS = (
    "Data module",
    "Readers",
    "Networks",
    "Decoders and encoders",
    "Losses",
    "Style transfer networks",
    "Lightning modules",
    "Learning rate schedules",
    "Callbacks",
    "Functions",
    "Teachers and ONNX files",
)
# Their required arguments come from the network and the Trainer, not from a YAML.
GIVEN = ("Decoders and encoders", "Learning rate schedules")
_PASSED_ON = "Further `--key value` arguments are passed on."
_LIGHTNING = (
    "Arguments: `-c` (or `--config`) for each YAML, later files override earlier ones; `--ckpt_path`; "
    "`--print_config`; and every [YAML key](yaml-keys.md), e.g. `--trainer.max_steps 500`."
)


def on_files(files: Any, config: Any) -> Any:
    """MkDocs' hook: add the pages from files of the root, whose links lead into docs/."""
    from mkdocs.structure.files import File  # type: ignore[import-not-found]

    for name, source in FROM_ROOT.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text().replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """MkDocs' hook: append the generated part of a page."""
    generate = REFERENCES.get(page.file.src_uri)
    return f"{markdown}\n{generate()}" if generate else markdown


def cli_page() -> str:
    """Every verb of the Typer application, with its arguments and options."""
    panels: dict[str, list[tuple[str, Any]]] = {}
    for name, command in verbs():
        panels.setdefault(getattr(command, "rich_help_panel", None) or "Other", []).append((name, command))
    text = []
    for panel, group in panels.items():
        rows = [(f"[`{name}`](#{_slug(name)})", _help(each)[0]) for name, each in group]
        text += [f"## {panel}\n\n{_table(('verb', ''), rows)}", *(_verb(*pair) for pair in group)]
    return "\n".join(text)


def verbs() -> Iterator[tuple[str, Any]]:
    """The name of each verb, ``data check``, and its command; what a group says of itself stands with its commands."""
    import typer

    from lightning_app.cli.main import app

    yield from _leaves(typer.main.get_command(app), "")


def _leaves(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            for leaf, each in _leaves(command, f"{prefix}{name} "):
                each.rich_help_panel = getattr(each, "rich_help_panel", None) or command.rich_help_panel
                yield leaf, each
        else:
            yield f"{prefix}{name}", command


def _verb(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and "--help" not in each.opts]
    names = [each.metavar or each.name.upper() for each in arguments]
    usage = " ".join(["pocketdepth", name, *names, *(["[OPTIONS]"] if options else [])])
    text = [f"### {name} {{ #{_slug(name)} }}", f"```text\n{usage}\n```", *_help(command)]
    if arguments:
        helps = [each.help or "" for each in arguments]
        text.append(_table(("argument", ""), [(f"`{name}`", each) for name, each in zip(names, helps, strict=True)]))
    if options:
        rows = [(_names(each), each.help or "", _default(each)) for each in options]
        text.append(_table(("option", "", "default"), rows))
    if command.context_settings.get("ignore_unknown_options"):
        text.append(_PASSED_ON if command.params else _LIGHTNING)
    return "\n\n".join(text) + "\n"


def _names(option: Any) -> str:
    return "<br>".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))


def _default(option: Any) -> str:
    default = option.default() if callable(option.default) else option.default
    if option.required:
        return "required"
    if default in (None, False, (), []) or type(default).__name__ == "Sentinel":
        return ""
    values = default if isinstance(default, tuple | list) else [default]
    return f"`{' '.join(map(str, values))}`"


def _help(command: Any) -> list[str]:
    return [" ".join(part.split()) for part in (command.help or "").split("\n\n")] or [""]


def yaml_page() -> str:
    """Every public class that a YAML can name, by section, with the arguments of its constructor."""
    found: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for path, thing in public():
        section = kind(thing)
        if section:
            found[section].append(_class(path, thing, given=section in GIVEN))
    return "\n".join(f"## {section}\n\n" + "\n".join(pages) for section, pages in found.items() if pages)


def public() -> Iterator[tuple[str, Any]]:
    """Class path and object of all that the packages name in ``__all__``."""
    for package in PACKAGES:
        module = import_module(package)
        for name in sorted(module.__all__):
            yield f"{package}.{name}", getattr(module, name)


def kind(thing: Any) -> str | None:
    """The section that a class belongs to; None where a YAML cannot name it."""
    from pytorch_lightning import Callback, LightningDataModule, LightningModule
    from pytorch_lightning.cli import SaveConfigCallback
    from torch import nn
    from torch.optim.lr_scheduler import LRScheduler

    from datamodules import Augmentation, Reader, StyleTransfer

    if inspect.isfunction(thing):
        returned = typing.get_type_hints(thing).get("return")
        return "Functions" if inspect.isclass(returned) and issubclass(returned, nn.Module) else None
    if not inspect.isclass(thing) or inspect.isabstract(thing) or thing.__module__.endswith("contract"):
        return None
    module: Callable[[str], bool] = thing.__module__.startswith
    sections = {
        "Data module": issubclass(thing, LightningDataModule | Augmentation | StyleTransfer),
        "Readers": issubclass(thing, Reader),
        "Lightning modules": issubclass(thing, LightningModule),
        "Callbacks": issubclass(thing, Callback) and not issubclass(thing, SaveConfigCallback),
        "Learning rate schedules": issubclass(thing, LRScheduler),
        "Losses": module("losses"),
        "Style transfer networks": hasattr(thing, "statistics"),
        "Networks": hasattr(thing, "multiscale"),
        "Decoders and encoders": module("models") and issubclass(thing, nn.Module),
        "Teachers and ONNX files": module("deploy") and issubclass(thing, nn.Module),
    }
    return next((section for section, fits in sections.items() if fits), None)


def _class(path: str, thing: Any, given: bool) -> str:
    doc = parse(inspect.getdoc(thing) or "", DocstringStyle.GOOGLE)
    about = {param.arg_name: param.description or "" for param in doc.params}
    constructor = thing if inspect.isfunction(thing) else thing.__init__
    parameters = [
        each
        for each in list(inspect.signature(constructor).parameters.values())[constructor is not thing :]
        if each.kind is each.POSITIONAL_OR_KEYWORD and not (given and each.default is each.empty)
    ]
    rows = [(f"`{each.name}`", _type(constructor, each), _value(each), about.get(each.name, "")) for each in parameters]
    text = [f"### {path} {{ #{path} }}", _markdown(doc.short_description), _markdown(doc.long_description)]
    return (
        "\n\n".join([*filter(None, text), _table(("key", "type", "default", ""), rows) if rows else "No keys."]) + "\n"
    )


def _type(constructor: Any, parameter: inspect.Parameter) -> str:
    """The annotation as it is written; the values of a Literal."""
    try:
        hint = typing.get_type_hints(constructor)[parameter.name]
    except (NameError, KeyError):
        hint = None
    if typing.get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(hint))
    written = parameter.annotation
    return f"`{written if isinstance(written, str) else getattr(written, '__name__', str(written))}`"


def _value(parameter: inspect.Parameter) -> str:
    value: Any = parameter.default
    if value is parameter.empty:
        return "required"
    if inspect.isclass(value):
        return f"`{value.__module__}.{value.__name__}`"
    if value is None or isinstance(value, bool):
        return f"`{'null' if value is None else str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _markdown(text: str | None) -> str:
    """A docstring's text as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text or "")
    text = text.replace("``", "`").replace("::\n", ":\n")
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[_cell(text) for text in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)) + "\n"


def _cell(text: str) -> str:
    """One line; a pipe would end the cell, but in code."""
    parts = " ".join(_markdown(text).split()).split("`")
    return "`".join(part if number % 2 else part.replace("|", "\\|") for number, part in enumerate(parts))


def _slug(name: str) -> str:
    return name.replace(" ", "-")


REFERENCES: dict[str, Callable[[], str]] = {"reference/cli.md": cli_page, "reference/yaml-keys.md": yaml_page}
FROM_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
