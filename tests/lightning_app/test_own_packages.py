"""A file that shadows one of the five packages is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_app import own_packages
from lightning_app.own_packages import PACKAGES, require_own_packages
from tests.test_architecture import ROOT

CLI = "import sys; sys.argv = ['pocketdepth', '--version']; from lightning_app.cli.main import main; main()"


def run(folder: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(filter(None, [path, str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["models/__init__.py", "datamodules.py", "losses.py", "lightning_app/__init__.py"])
def test_a_script_or_a_notebook_beside_it_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "mine.py").write_text("from deploy import load\n")
    for done in (run(tmp_path, "mine.py"), run(tmp_path, "-c", "from deploy import load")):
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        package = name.removesuffix("/__init__.py").removesuffix(".py")
        assert last.startswith(f"ImportError: {tmp_path / name} shadows the package {package!r} of PocketDepth")
        assert "rename it" in last


def test_the_command_line_tells_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "models.py").touch()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "__init__.py").touch()
    done = run(tmp_path, "-P", "-c", CLI, path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        f"pocketdepth: error: {tmp_path / 'models.py'} shadows the package 'models' of PocketDepth "
        f"({ROOT / 'models'}); rename it, or take {tmp_path} off PYTHONPATH\n"
    )


def test_python_m_and_folders_without_code_are_fine(tmp_path: Path) -> None:
    (tmp_path / "models.py").touch()
    assert run(tmp_path, "-m", "lightning_app", "--version").stdout.startswith("pocketdepth ")
    (tmp_path / "models.py").unlink()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "weights.pth").touch()
    assert run(tmp_path, "-P", "-c", CLI, path=str(tmp_path)).returncode == 0


def test_another_distribution_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "site-packages" / "losses" / "__init__.py"
    own = {name: ROOT / name / "__init__.py" for name in PACKAGES} | {"losses": foreign}
    monkeypatch.setattr(own_packages, "_file", own.get)
    with pytest.raises(ImportError, match=r"shadows the package 'losses' .* it belongs to another distribution"):
        require_own_packages()


def test_a_package_that_was_overwritten_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pocketdepth-0.1.0.dist-info").mkdir()
    lines = []
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"# {name}\n")
        lines.append(f"{name}/__init__.py,sha256={own_packages._digest(tmp_path / name / '__init__.py')},9")
    (tmp_path / "pocketdepth-0.1.0.dist-info" / "RECORD").write_text("\n".join(lines))
    monkeypatch.setattr(own_packages, "_ROOT", tmp_path)
    monkeypatch.setattr(own_packages, "_file", lambda name: tmp_path / name / "__init__.py")
    require_own_packages()
    (tmp_path / "models" / "__init__.py").write_text("# of another distribution\n")
    with pytest.raises(ImportError, match=r"models/__init__\.py is not PocketDepth's: another distribution has overwr"):
        require_own_packages()
