"""``quantize`` of a checkpoint, and the names of schemes that people type."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy import load
from tests.conftest import Cli
from tests.lightning_app.test_checkpoints import OLD


def test_a_checkpoint_is_exported_first(cli: Cli, tmp_path: Path, photos: Path) -> None:
    checkpoint = Path(shutil.copy(OLD, tmp_path / "mine.ckpt"))
    result = cli("quantize", checkpoint, photos, "--scheme", "int8")
    assert result.status == 0, result.err
    int8, fp32 = (load(tmp_path / name).network.info for name in ("mine-int8.onnx", "mine.onnx"))
    assert (int8.quantized or "").startswith("int8 QDQ")
    assert int8.checkpoint_sha256 == fp32.checkpoint_sha256
    again = cli("quantize", checkpoint, "--scheme", "dynamic")
    assert again.status == 0, again.err
    assert f"{checkpoint}: exported already, as {tmp_path / 'mine.onnx'}" in again.out
    checkpoint.write_bytes(checkpoint.read_bytes() + b"\0")
    other = cli("quantize", checkpoint, "--scheme", "dynamic", "--output", tmp_path / "x.onnx")
    assert other.status == 2
    assert not (tmp_path / "x.onnx").exists()
    wrong = cli("quantize", tmp_path / "mine.onnx", photos, "--scheme", "statik")
    assert "scheme 'statik' is not one of static, dynamic, a16w8; did you mean static?" in wrong.err
