"""Writing of files, on disks that are full or read-only."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_app.error_messages import one_line
from lightning_app.files import atomic_folder, atomic_write, naming, refuse_existing

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def copied(temporary: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "source", None, str(temporary))


def wrapped(temporary: Path) -> None:
    try:
        raise FULL
    except OSError as error:
        raise ValueError("you tried to log a number, which is not supported") from error


def read_only(temporary: Path) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(temporary))


def unnamed(temporary: Path) -> None:
    raise FULL


@pytest.mark.parametrize("fail", [copied, wrapped, read_only, unnamed])
@pytest.mark.parametrize("write", [atomic_write, atomic_folder])
def test_an_error_of_the_disk_names_the_users_path_and_its_cause(
    fail: Callable[[Path], None], write: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "a" / "depth.onnx"
    with pytest.raises(OSError, match="onnx") as error, write(path) as temporary:  # type: ignore[attr-defined]
        fail(temporary)
    reason = "read-only file system" if fail is read_only else "no space left on device"
    assert one_line(error.value) == f"{path}: {reason}"
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize("error", [OSError("4800 requested and 0 written"), RuntimeError("file write failed")])
def test_a_librarys_own_words_for_a_full_disk_are_replaced(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    path = tmp_path / "a.npy"
    for free, message in ((4096, f"{path}: no space left on device"), (1 << 30, str(error))):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(1 << 31, 0, free))
        with pytest.raises(type(error) if free > 4096 else OSError) as raised, atomic_write(path):
            raise error
        assert one_line(raised.value) == message


def test_other_errors_stay_as_they_are(tmp_path: Path) -> None:
    inner = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "run" / "last.ckpt"))
    for error in (inner, FileNotFoundError(errno.ENOENT, "No such file", "image.png"), ValueError("damaged")):
        with pytest.raises(type(error)) as raised, naming(tmp_path / "run"):
            raise error
        assert raised.value is error


def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write anywhere
    path = tmp_path / "new" / "x.onnx"
    with pytest.raises(PermissionError) as error:
        refuse_existing(path, overwrite=True)
    assert one_line(error.value) == f"{path}: permission denied"
