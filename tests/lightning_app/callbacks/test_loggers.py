"""Start of loggers."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from pytorch_lightning.loggers import CSVLogger, WandbLogger

from lightning_app.callbacks import loggers


@pytest.mark.parametrize("listens", [False, True], ids=["refuses", "never answers"])
def test_a_server_that_cannot_be_reached_costs_little(listens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "_PATIENCE_S", 0.3)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        before = time.monotonic()
        assert not loggers._answers(f"http://127.0.0.1:{server.getsockname()[1]}")
    assert time.monotonic() - before < 3


def test_disabled_wandb_writes_nothing_and_other_loggers_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    given = [WandbLogger(save_dir=tmp_path, offline=offline) for offline in (True, False)]
    first, second, third = loggers.start([*given, CSVLogger(tmp_path / "csv", name="", version="")])
    assert isinstance(first, loggers.NoLogger)
    assert isinstance(second, loggers.NoLogger)
    assert isinstance(third, CSVLogger)
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]
