"""The scripts in ``examples/``, with tiny settings."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_app.checkpoints import Checkpoint
from tests.conftest import EXPERIMENTS, Cli

ROOT = EXPERIMENTS.parent
PHOTO = next((ROOT / "data" / "quickstart").rglob("*.jpg"))


def example(name: str) -> Callable[..., Any]:
    """The function ``main`` of an example."""
    main: Callable[..., Any] = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))["main"]
    return main


@pytest.mark.slow
def test_examples_train_export_and_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(ROOT / "data"))
    monkeypatch.chdir(tmp_path)
    example("train")(steps=2, size=(64, 96))
    assert Checkpoint.open(Path("street.ckpt")).size == (64, 96)
    example("export")("street.ckpt", str(PHOTO.parent))
    assert [Path(name).is_file() for name in ("street.onnx", "street-int8.onnx", "street.md")] == [True] * 3
    card = Path("street.md").read_text()
    assert "| data | VirtualKitti train: 240 frames of 60 scenes |" in card
    assert "| loss | losses.SILog |" in card
    assert "| optimizer | AdamW(lr=0.001) |" in card
    example("evaluate")("street.ckpt", *(str(EXPERIMENTS / f"{name}.yaml") for name in ("base", "quickstart")))
    assert "kitti-eigen: abs_rel " in capfd.readouterr().out
    assert cli("predict", "street.ckpt", PHOTO, "--output", "out").status == 0


def test_every_example_is_tested_and_documented() -> None:
    names = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    assert names == ["evaluate", "export", "train"]
    page = (ROOT / "docs" / "python-api.md").read_text()
    assert all(f"examples/{name}.py" in page for name in names)
