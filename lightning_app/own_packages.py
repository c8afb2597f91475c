"""Check that the five packages of PocketDepth are its own: other files of such common names can shadow them."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("lightning_app", "models", "losses", "datamodules", "deploy")
_ROOT = Path(__file__).parents[1]


def require_own_packages() -> None:
    """Raise ImportError if another file shadows a package of PocketDepth, or has overwritten it.

    No package is imported: what another file would do is not known.
    """
    recorded = _recorded()
    for name in PACKAGES:
        own = _ROOT / name / "__init__.py"
        file = _file(name)
        if file is not None and file.resolve() != own.resolve():
            raise ImportError(f"{file} shadows the package {name!r} of PocketDepth ({own.parent}); {_advice(file)}")
        if name in recorded and own.is_file() and recorded[name] != _digest(own):
            raise ImportError(
                f"{own} is not PocketDepth's: another distribution has overwritten it; install PocketDepth in an "
                f"environment without a package {name!r} of others"
            )


def _file(name: str) -> Path | None:
    """The file that ``import name`` runs, or has run; None if it is not known."""
    try:
        spec = find_spec(name)
    except ValueError:  # imported by other means than a file
        return None
    return Path(spec.origin).absolute() if spec and spec.origin else None


def _advice(file: Path) -> str:
    folder = file.parents[1] if file.name == "__init__.py" else file.parent  # the entry of sys.path
    on_path = [Path(each).absolute() for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    if folder.name in ("site-packages", "dist-packages"):
        return "it belongs to another distribution: install PocketDepth in an environment without it"
    if folder in on_path:
        return f"rename it, or take {folder} off PYTHONPATH"
    return "rename it, or start from another folder"


def _recorded() -> dict[str, str]:
    """Digests of the packages in the RECORD of an installed wheel; empty in a clone."""
    digests = {}
    for record in _ROOT.glob("pocketdepth-*.dist-info/RECORD"):
        for line in record.read_text(encoding="utf-8").splitlines():
            path, _, rest = line.partition(",sha256=")
            package, _, file = path.partition("/")
            if file == "__init__.py" and package in PACKAGES:
                digests[package] = rest.partition(",")[0]
    return digests


def _digest(file: Path) -> str:
    return urlsafe_b64encode(sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
