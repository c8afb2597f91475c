"""One-line messages for unknown verbs, options and arguments."""

from __future__ import annotations

import re
from difflib import get_close_matches

import typer

# Typer's base class of wrong use; older versions take it from click, newer ones have their own.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def usage_message(error: Exception, app: typer.Typer) -> str:
    """One line for an error of Typer. Empty if it is the help of a command without arguments, which is printed already.

    Args:
        error: error of the parser.
        app: the command line, whose verbs are similar names for an unknown one.
    """
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pocketdepth"
    text = getattr(error, "format_message", lambda: str(error))().strip().removesuffix(".")
    verb = re.match(r"No such command '(.+?)'", text)
    option = getattr(error, "option_name", None) if text.startswith("No such option") else None
    if verb:
        close = _close(verb[1], _verbs(app, command), 2)
        text, help_of = f"no command {verb[1]!r}", "pocketdepth"
    elif option:
        known = [name for param in context.command.params for name in param.opts] if context else []
        close = _close(option, known, 1) or [name for name in known if name.startswith(option)]
        text, help_of = f"{command} has no option {option}", command
    else:
        close, help_of = [], command
        text = " ".join(text.split())
        text = text[:1].lower() + text[1:]
    if not text:
        return ""
    return f"{text}; did you mean {' or '.join(close)}?" if close else f"{text}; see {help_of} --help"


def _verbs(app: typer.Typer, command: str) -> list[str]:
    """The verbs, those of ``data`` with it before them."""
    root = typer.main.get_command(app)
    verbs = dict(getattr(root, "commands", {}))
    below = getattr(verbs.get("data"), "commands", {})
    return [*below] if command.endswith(" data") else [*verbs, *(f"data {name}" for name in below)]


def _close(word: str, known: list[str], number: int) -> list[str]:
    """Similar names; a verb below ``data`` is similar by its last word."""
    names = {name.rpartition(" ")[2]: name for name in reversed(known)}
    return [names[each] for each in get_close_matches(word, names, n=number)]
