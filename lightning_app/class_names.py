"""Check that classes and encoders of a configuration exist, without importing them, and name similar ones."""

from __future__ import annotations

import re
import sys
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec

from lightning_app.experiments import unused_file, user_modules
from lightning_app.signatures import definition, module_file, names

# Packages whose classes may be given by their name alone.
_SHORT = (
    *("losses", "models", "datamodules", "lightning_app.training", "lightning_app.callbacks"),
    *("pytorch_lightning.callbacks", "pytorch_lightning.loggers", "torch.optim"),
)
_OURS = ("losses", "models", "datamodules", "deploy", "lightning_app", "torch", "pytorch_lightning")


def full_name(name: str, key: str) -> str:
    """The class path of a class that is given by its name alone; the name itself if it is not known.

    Raises:
        ValueError: no such class, but one with a similar name.
    """
    known = short_names()
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    if name not in known and close:
        raise ValueError(f"{key}: no class {name}; did you mean {close[0]}?")
    return known.get(name, name)


@cache
def short_names() -> dict[str, str]:
    """Class paths by name of the classes that may be given by their name alone."""
    paths = [f"{package}.{name}" for package in reversed(_SHORT) for name in names(package) or () if name[0].isupper()]
    return {path.rpartition(".")[2]: path for path in paths if definition(path)}


def require_class(class_path: str, key: str) -> None:
    """Check a class path.

    Raises:
        ValueError: its module has no such name.
        ImportError: there is no such module.
    """
    module, _, name = class_path.rpartition(".")
    top = module.partition(".")[0]
    try:
        missing = find_spec(top) is None
    except ValueError:  # imported already, by other means than a file
        missing = False
    if missing:
        close = get_close_matches(top, [*_OURS, *user_modules()], n=1, cutoff=0.75)
        advice = f"; did you mean {close[0]}?" if close else ""
        raise ImportError(
            f"{key}: No module named {top!r}: not installed, and no such file next to the YAMLs or in the working "
            f"folder{advice}"
        )
    known = names(module)
    own = unused_file(top) if name not in (known or ()) else None
    if own is not None and (known is not None or top in sys.stdlib_module_names):
        raise ValueError(f"{key}: {own} is not used: {top!r} is the name of another module; rename your file")
    if known is None or name in known:
        return
    defined = {each: found.file for each in known if (found := definition(f"{module}.{each}")) and each[0] != "_"}
    if top in _OURS:
        close = get_close_matches(name, defined, n=1)
        advice = f"did you mean {close[0]}?" if close else f"it has {', '.join(defined)}"
        raise ValueError(f"{key}: {module} has no {name}; {advice}")
    file = module_file(module)
    close = get_close_matches(name, [each for each, where in defined.items() if where == file], n=1, cutoff=0.75)
    if close:  # otherwise importing the file may tell more
        raise ValueError(f"{key}: {file} has no {name}; did you mean {close[0]}?")


def require_encoder(name: str, key: str) -> None:
    """Raise ValueError with similar names if timm has no model of this name."""
    base = name.partition(".")[0]  # after it the name of its weights
    if ":" in name or re.search(rf"\b{re.escape(base)}\b", _timm()):
        return
    close = get_close_matches(base, re.findall(r"^@register_model\ndef (\w+)", _timm(), re.M), cutoff=0.6)
    similar = f"; similar names: {', '.join(close)}" if close else ""
    raise ValueError(f"{key}: timm has no backbone {name!r}{similar}")


@cache
def _timm() -> str:
    package = module_file("timm.models")
    files = sorted(package.parent.glob("*.py")) if package else []
    return "\n".join(path.read_text(encoding="utf-8") for path in files)
