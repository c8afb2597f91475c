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
TORCH_FREE = {
    "deploy/__init__.py",
    "deploy/camera.py",
    "deploy/convert/__init__.py",
    "deploy/convert/agreement.py",
    "deploy/convert/executorch.py",
    "deploy/convert/extras.py",
    "deploy/convert/litert.py",
    "deploy/convert/qnn.py",
    "deploy/devices/arm.py",
    "deploy/devices/gates.py",
    "deploy/devices/on_arm.py",
    "deploy/devices/targets.py",
    "deploy/devices/transfer.py",
    "deploy/devices/verdicts.py",
    "deploy/fidelity.py",
    "deploy/formats.py",
    "deploy/images.py",
    "deploy/int8/calibration.py",
    "deploy/int8/float_search.py",
    "deploy/int8/layer_costs.py",
    "deploy/int8/quantize.py",
    "deploy/int8/quantizer.py",
    "deploy/int8/sensitivity.py",
    "deploy/int8/unlike.py",
    "deploy/lean.py",
    "deploy/load.py",
    "deploy/macs.py",
    "deploy/predict.py",
    "deploy/runtime.py",
    "deploy/speed/benchmark.py",
    "deploy/speed/benchmark_report.py",
    "deploy/speed/fresh_process.py",
    "deploy/speed/peak.py",
    "lightning_app/app.py",
    "lightning_app/app_convert.py",
    "lightning_app/app_data.py",
    "lightning_app/app_deploy.py",
    "lightning_app/app_measure.py",
    "lightning_app/app_style.py",
    "lightning_app/canonical.py",
    "lightning_app/colour.py",
    "lightning_app/files.py",
    "lightning_app/messages.py",
    "lightning_app/options.py",
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
    if file in TORCH_FREE:
        heavy = {"torch", "pytorch_lightning", "torchmetrics", "torchvision"}
        assert not {name.split(".")[0] for name in imports(file, at_start=True)} & heavy


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
