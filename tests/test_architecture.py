"""The arrows between the packages, and what each may import."""

from __future__ import annotations

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("lightning_app", "models", "losses", "datamodules", "deploy")
ALLOWED = {
    "models": set(),
    "losses": set(),
    "datamodules": set(),
    "lightning_app": {"models", "losses", "datamodules"},
    "deploy": {"lightning_app", "models"},
}
# One library, the only places that may import it.
OWNERS = {
    "timm": {"models/encoder.py"},
    "wandb": {"lightning_app/callbacks"},
    "albumentations": {"datamodules/augmentation.py"},
}
# What imports no torch at the start of a file: a folder with all that is in it, or a file.
TORCH_FREE = (
    "datamodules/__init__.py",
    "datamodules/folders.py",
    "datamodules/image_files.py",
    "datamodules/reader.py",
    "deploy/__init__.py",
    "deploy/benchmark/benchmark.py",
    "deploy/benchmark/pareto_front.py",
    "deploy/benchmark/report.py",
    "deploy/convert/__init__.py",
    "deploy/convert/to_qnn.py",
    "deploy/devices/",
    "deploy/export/camera_input.py",
    "deploy/export/fp16_and_ort.py",
    "deploy/export/strip_model.py",
    "deploy/inference/__init__.py",
    "deploy/inference/executorch_network.py",
    "deploy/inference/images.py",
    "deploy/inference/litert_network.py",
    "deploy/inference/load.py",
    "deploy/inference/model_info.py",
    "deploy/inference/network.py",
    "deploy/inference/onnx_network.py",
    "deploy/inference/optional_packages.py",
    "deploy/inference/predict.py",
    "deploy/measure/",
    "deploy/quantization/__init__.py",
    "deploy/quantization/auto_float_layers.py",
    "deploy/quantization/calibration.py",
    "deploy/quantization/calibration_shift.py",
    "deploy/quantization/layer_costs.py",
    "deploy/quantization/quantize.py",
    "deploy/quantization/quantizer.py",
    "deploy/quantization/sensitivity.py",
    "lightning_app/canonical_camera.py",
    "lightning_app/class_names.py",
    "lightning_app/cli/",
    "lightning_app/colormap.py",
    "lightning_app/config.py",
    "lightning_app/config_check.py",
    "lightning_app/error_messages.py",
    "lightning_app/experiments.py",
    "lightning_app/files.py",
    "lightning_app/image_files.py",
    "lightning_app/moved.py",
    "lightning_app/own_packages.py",
    "lightning_app/signatures.py",
    "lightning_app/run_folder.py",
    "lightning_app/step_cache.py",
)
# The folders of a package from the ground up: what lies flat at its root is the ground floor, and a folder imports
# itself and lower floors alone. Folders of one line stand beside each other.
FLOORS = {
    "lightning_app": (
        ("",),
        ("evaluation",),
        ("callbacks",),
        ("training",),
        ("comparison", "data_tools"),
        ("profiling",),
        ("cli",),
    ),
    "deploy": (
        ("inference",),
        ("measure",),
        ("export",),
        ("quantization", "pruning", "convert"),
        ("benchmark",),
        ("devices",),
        ("shipping",),
    ),
}
FILES = sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))


def imports(file: str, at_start: bool = False) -> set[str]:
    """Modules that a file imports; ``at_start`` leaves out what stands in functions or is for type checkers."""
    tree = ast.parse((ROOT / file).read_text())
    nodes = tree.body if at_start else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("file", FILES)
def test_arrows(file: str) -> None:
    package = file.split("/")[0]
    used = {name.split(".")[0] for name in imports(file)}
    assert used & set(PACKAGES) <= ALLOWED[package] | {package}
    assert "tests" not in used
    for library, owners in OWNERS.items():
        assert library not in used or any(file.startswith(owner) for owner in owners)
    if file.startswith(TORCH_FREE):
        heavy = {"torch", "pytorch_lightning", "torchmetrics", "torchvision"}
        assert not {name.split(".")[0] for name in imports(file, at_start=True)} & heavy


def folder(file: str) -> tuple[str, str]:
    """The package and the folder of a file; an empty folder at the package's root."""
    package, *inner = file.split("/")[:-1]
    return package, inner[0] if inner else ""


def imported_files(file: str) -> set[str]:
    """The files of ours that a file imports, wherever in it that stands; not those that only type checkers import."""
    tree = ast.parse((ROOT / file).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= set().union(*(_files_of(alias.name) for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:  # a submodule, or a name in the package itself
                found |= _files_of(f"{node.module}.{alias.name}") or _files_of(node.module or "")
    return found - {file}


def _files_of(module: str) -> set[str]:
    path = module.replace(".", "/")
    return {f"{path}.py", f"{path}/__init__.py"} & set(FILES)


@pytest.mark.parametrize("package", FLOORS)
def test_folders_import_lower_floors_alone(package: str) -> None:
    height = {name: floor for floor, names in enumerate(FLOORS[package]) for name in names}
    for file in (each for each in FILES if each.startswith(f"{package}/") and each != f"{package}/__init__.py"):
        own = folder(file)
        if file == "lightning_app/__main__.py":  # `python -m lightning_app`
            continue
        for other in imported_files(file):
            theirs = folder(other)
            if theirs[0] == package and theirs != own:
                assert height[theirs[1]] < height[own[1]], f"{file} imports {other}"


def test_no_circle_of_files() -> None:
    imports = {file: imported_files(file) for file in FILES}
    done: set[str] = set()

    def visit(file: str, above: tuple[str, ...]) -> None:
        assert file not in above, " -> ".join((*above[above.index(file) :], file))
        for other in () if file in done else imports[file]:
            visit(other, (*above, file))
        done.add(file)

    for file in FILES:
        visit(file, ())


@pytest.mark.parametrize("file", FILES)
def test_one_file_knows_the_encodings(file: str) -> None:
    if file == "datamodules/depth_io.py" or not file.startswith("datamodules"):
        return
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant):
            assert node.right.value not in (100, 256, 1000, 5000)


@pytest.mark.parametrize("file", [*FILES, *TESTS])
def test_files_stay_readable(file: str) -> None:
    assert len((ROOT / file).read_text().splitlines()) <= 250


def test_no_other_distribution_owns_our_names() -> None:
    owners = packages_distributions()
    for name in PACKAGES:
        assert set(owners.get(name, ["pocketdepth"])) == {"pocketdepth"}
