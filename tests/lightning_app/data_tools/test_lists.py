from __future__ import annotations

from pathlib import Path

import pytest

from datamodules import KittiRaw
from tests.conftest import Cli
from tests.helpers.fake_data import DRIVE, write_annotated


def drives(path: Path) -> set[str]:
    return {line.split()[0] for line in path.read_text().splitlines()}


def test_lists_share_no_drive_and_are_read(data_root: Path, cli: Cli) -> None:
    output = data_root / "kitti" / "splits"
    call = ("data", "list", "--root", "kitti", "--output", output, "--val", 0.5)
    written = cli(*call)
    assert written.status == 0, written.err
    assert f"train: 3 frames of 1 drive -> {output / 'train_files.txt'}" in written.out
    train, val = output / "train_files.txt", output / "val_files.txt"
    assert not drives(train) & drives(val)
    readers = [KittiRaw("kitti", f"kitti/splits/{name}_files.txt") for name in ("train", "val")]
    assert {path for reader in readers for path in reader.paths} == set(KittiRaw("kitti").paths)
    assert cli(*call).status == 2
    first = val.read_text()
    assert cli(*call, "--overwrite").status == 0
    assert val.read_text() == first
    others = {seed: cli(*call, "--overwrite", "--seed", seed).status or frozenset(drives(val)) for seed in range(5)}
    assert len(set(others.values())) == 2


def test_a_single_drive_is_not_split(data_root: Path, cli: Cli) -> None:
    write_annotated(data_root / "kitti" / DRIVE, 1, (75, 124))
    result = cli("data", "list", "--root", "kitti", "--depth", "annotated", "--output", data_root / "lists")
    assert result.status == 2
    assert "frames of 1 drive only" in result.err
    assert not (data_root / "lists").exists()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_real_drives_are_split_by_their_share(
    share: float, real_data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    result = cli("data", "list", "--root", "kitti", "--output", tmp_path, "--val", share)
    assert result.status == 0, result.err
    counts = {name: len((tmp_path / f"{name}_files.txt").read_text().splitlines()) for name in ("train", "val")}
    assert sum(counts.values()) == 31
    assert counts["val"] == pytest.approx(31 * share, abs=1.5)
