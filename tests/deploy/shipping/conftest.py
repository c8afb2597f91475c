"""A plan for a finished run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import EXPERIMENTS

PLAN = """
size: [64, 96]
images: photos
data: [tiny.yaml]
variants:
  fp32: {}
  int8: {scheme: static, limits: {size_mb: 2, gates: [NNAPI], times_as_fast: {fp32: 1.1}}}
"""


@pytest.fixture
def plan(fitted: Path, tmp_path: Path) -> Path:
    """A plan for a finished run's checkpoint."""
    path = tmp_path / "plan.yaml"
    text = PLAN.replace("[tiny.yaml]", f"[{EXPERIMENTS / 'base.yaml'}, {tmp_path / 'tiny.yaml'}]")
    path.write_text(text.replace("size_mb: 2", "size_mb: 20").replace("{fp32: 1.1}", "{fp32: 0.01}"))
    return path
