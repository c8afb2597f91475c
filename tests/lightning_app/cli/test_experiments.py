"""``pocketdepth experiments``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_app.experiments import packaged_names
from tests.conftest import EXPERIMENTS, Cli


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_experiments_lists_them_with_a_description(elsewhere: Path, cli: Cli) -> None:
    result = cli("experiments")
    assert result.status == 0
    lines = [line.split(maxsplit=1) for line in result.out.splitlines() if line.startswith("  ")]
    assert sorted(name for name, _ in lines) == packaged_names()
    described = dict(lines)
    assert described["base.yaml"].endswith("with a sub-pixel decoder at stride 16.")
    assert described["networks/pydnet.yaml"] == "PyDNet as published."
    assert "\nablation/\n" in result.out


def test_experiments_are_copied_into_a_folder(elsewhere: Path, cli: Cli) -> None:
    result = cli("experiments", "--copy", "quickstart.yaml")
    assert (result.status, result.out) == (2, "")
    assert "--copy quickstart.yaml: give a folder" in result.err


def test_experiments_are_copied_and_never_replaced_silently(elsewhere: Path, cli: Cli) -> None:
    assert cli("experiments", "--copy", "mine").status == 0
    copies = sorted(path.relative_to("mine").as_posix() for path in Path("mine").rglob("*") if path.is_file())
    assert copies == packaged_names()
    own = Path("mine", "base.yaml")
    own.write_text("mine")
    refused = cli("experiments", "--copy", "mine")
    assert refused.status == 2
    assert f"exists (and {len(packaged_names()) - 1} more); give --overwrite or another folder" in refused.err
    assert own.read_text() == "mine"
    assert cli("experiments", "--copy", "mine", "--overwrite").status == 0
    assert own.read_text() == (EXPERIMENTS / "base.yaml").read_text()
