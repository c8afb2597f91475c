"""Find packaged experiments, and import Python files next to a user's own YAMLs. Imports no torch."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

# setup.py copies the YAMLs into the wheel; a clone or an editable install uses the repository's.
_IN_WHEEL = Path(__file__).with_name("packaged_experiments")
_ROOT = Path(__file__).parents[1]
PACKAGED = _IN_WHEEL if _IN_WHEEL.is_dir() else _ROOT / "experiments"
_OURS = tuple(_ROOT / name for name in ("lightning_app", "models", "losses", "datamodules", "deploy"))
# What models are given as, where a YAML is expected.
_WEIGHTS = "to resume its run give it as --ckpt_path, to start from its weights as --model.weights"
_MODELS = {
    **dict.fromkeys((".ckpt", ".pt", ".pth"), _WEIGHTS),
    **dict.fromkeys((".onnx", ".ort", ".tflite", ".pte"), "`pocketdepth evaluate MODEL --data YAML` scores it"),
}
_USER_FOLDERS: list[Path] = []  # folders of Python files that class paths can refer to


def packaged_names() -> list[str]:
    """Names of the packaged YAMLs, e.g. ``base.yaml`` or ``ablation/styles.yaml``."""
    return sorted(path.relative_to(PACKAGED).as_posix() for path in PACKAGED.rglob("*.yaml"))


def find_yaml(path: Path) -> Path:
    """Find a YAML file, or else the packaged YAML of that name, with or without ``experiments/`` before it.

    Raises:
        FileNotFoundError: neither exists.
        ValueError: a model, or a folder.
    """
    if path.suffix in _MODELS:
        raise ValueError(f"{path}: a model, not a YAML; {_MODELS[path.suffix]}")
    if path.exists() and not path.is_dir():  # is_file would be false for a pipe
        return path
    if path.is_dir():
        inside = sorted(file.name for file in path.glob("*.y*ml"))[:3]
        raise ValueError(f"{path}: a folder, not a YAML" + (f"; it contains {', '.join(inside)}" if inside else ""))
    names = packaged_names()
    name = path.as_posix().removeprefix("experiments/")
    if name in names:
        return PACKAGED / name
    candidates = [*(file.as_posix() for file in path.parent.glob("*.y*ml")), *names]
    close = get_close_matches(path.stem, {Path(each).stem for each in candidates}, cutoff=0.75)
    similar = [each for stem in close for each in candidates if Path(each).stem == stem][:3]
    if "," in path.name:
        raise FileNotFoundError(
            f"{path}: no such YAML; give -c before each YAML: -c {path.as_posix().replace(',', ' -c ')}"
        )
    where = "" if path.is_absolute() else f" in {Path.cwd()} or among the packaged YAMLs"
    advice = f"did you mean {' or '.join(similar)}?" if similar else "run `pocketdepth experiments` for a list"
    raise FileNotFoundError(f"{path}: no such YAML{where}; {advice}")


def use_yaml(path: Path) -> Path:
    """Find a YAML, and make the Python files next to it importable by class paths.

    Raises:
        FileNotFoundError: no such YAML.
    """
    found = find_yaml(path)
    if not found.resolve().is_relative_to(PACKAGED.resolve()):
        import_from(found.parent)
    return found


def import_from(folder: Path) -> None:
    """Make the Python files in a folder importable. It is appended to ``sys.path``, so that it shadows no module."""
    folder = folder.resolve()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    if folder not in _USER_FOLDERS:
        _USER_FOLDERS.append(folder)


def is_user_file(file: str) -> bool:
    """Whether a Python file belongs to the user: it can be imported from a folder of :func:`import_from`."""
    path = Path(file)
    if any(path.is_relative_to(package) for package in _OURS):  # the working folder may be a clone
        return False
    names = [path.relative_to(folder).with_suffix("").parts for folder in _USER_FOLDERS if path.is_relative_to(folder)]
    return any(all(part.isidentifier() for part in parts) for parts in names)  # excludes site-packages


def user_modules() -> list[str]:
    """Names of the Python files in the folders of :func:`import_from`."""
    return [path.stem for folder in _USER_FOLDERS for path in folder.glob("*.py")]


def unused_file(module: str) -> Path | None:
    """The Python file of a user that another module of its name hides, such as ``losses.py`` beside a YAML."""
    spec = sys.modules[module].__spec__ if module in sys.modules else find_spec(module)
    for folder in _USER_FOLDERS:
        for file in (folder / f"{module}.py", folder / module / "__init__.py"):
            if file.is_file() and spec is not None and (spec.origin is None or Path(spec.origin).resolve() != file):
                return file
    return None
