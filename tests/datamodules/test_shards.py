"""Shards give the frames of the reader that they were written from, and train to the same weights."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
import trustme
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from torch.utils.data import DataLoader
from werkzeug.serving import make_server

from datamodules import (
    DepthDataModule,
    Diw,
    KittiRaw,
    Make3D,
    NyuLabeled,
    Photos,
    Reader,
    Shards,
    VirtualKitti,
    shard_writing,
)
from datamodules import depth_io as io
from datamodules.photos import label_path
from datamodules.reader import CorruptFrameError
from datamodules.shard_writing import require_chunks, write_shards
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml
from tests.helpers.fake_data import picture, write_diw, write_make3d, write_nyu_labeled
from tests.helpers.image_bytes import turned
from tests.lightning_app.training.test_fit import weights

boto3 = pytest.importorskip("boto3", reason="comes with LitData")


def assert_same_frames(reader: Reader, shards: Shards) -> None:
    assert shards.licence == reader.licence
    assert (len(shards), shards.truth, shards.scenes_found) == (len(reader), reader.truth, reader.scenes_found)
    for expected, frame in zip(reader, shards, strict=True):
        np.testing.assert_array_equal(frame.image, expected.image)
        np.testing.assert_array_equal(frame.depth, expected.depth)
        np.testing.assert_array_equal(frame.intrinsics, expected.intrinsics)
        assert frame.depth.dtype == np.float32
        assert (frame.domain, frame.path) == (expected.domain, expected.path.resolve())
        np.testing.assert_array_equal(frame.pair, expected.pair)
        np.testing.assert_array_equal(frame.inv_depth, expected.inv_depth)


@pytest.mark.parametrize("units", [100.0, 256.0, 1000.0, 5000.0, 0.0])
def test_depth_loses_nothing(units: float) -> None:
    random = np.random.default_rng(0)
    depth = random.integers(0, 65536, (6, 7)).astype(np.float32) / np.float32(units) if units else random.random((6, 7))
    depth = depth.astype(np.float32)
    data, units_per_metre = io.encode_depth(depth)
    assert units_per_metre == units
    np.testing.assert_array_equal(io.decode_depth(data, units_per_metre, depth.size), depth)


def test_shards_of_every_kind_of_frame(data_root: Path) -> None:
    """Image files, one turned, frames out of a .mat file, a part of an image, LiDAR, a laser's grid, pairs, labels."""
    write_nyu_labeled(data_root / "nyu")
    write_make3d(data_root / "make3d")
    write_diw(data_root / "diw")
    (data_root / "photos" / "a.jpg").write_bytes(turned(picture(7, (60, 90)), 6))
    for photograph in Photos("photos"):
        label = label_path(photograph.path, data_root / "photos", data_root / "labels")
        label.parent.mkdir(parents=True, exist_ok=True)
        io.write_label(label, photograph.image[..., 0].astype(np.float32))
    readers: tuple[Reader, ...] = (
        VirtualKitti("vkitti"),
        KittiRaw("kitti", "kitti/val.txt"),
        NyuLabeled("nyu", "train"),
        Make3D("make3d"),
        Diw("diw", "diw/DIW_test.csv"),
        Photos("photos", labels="labels"),
    )
    for number, reader in enumerate(readers):
        write_shards(reader, list(range(len(reader))), str(data_root / f"shards{number}"))
        assert_same_frames(reader, Shards(f"shards{number}"))


def mixed_yaml(data_root: Path, path: Path) -> Path:
    """The tiny experiment with a mixture: three rendered frames and a real one in each batch."""
    second = "{class_path: datamodules.KittiRaw, init_args: {root: kitti, split: kitti/more.txt}}"
    text = tiny_yaml(path).read_text().replace("{root: vkitti}}]", f"{{root: vkitti}}}}, {second}]")
    path.write_text(text + "    proportions: [0.75, 0.25]\n")
    lines = {name: (data_root / "kitti" / f"{name}.txt").read_text().splitlines() for name in ("val", "test")}
    (data_root / "kitti" / "more.txt").write_text("\n".join(lines["test"][1:]))
    (data_root / "kitti" / "val.txt").write_text("\n".join(lines["val"][1:]))
    (data_root / "kitti" / "test.txt").write_text(lines["val"][0])
    return path


@pytest.mark.slow
def test_files_and_shards_train_to_the_same_weights(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    """From shards the run breaks in the middle of an epoch, and is resumed."""
    yaml = mixed_yaml(data_root, tmp_path / "tiny.yaml")
    chain = ("-c", EXPERIMENTS / "base.yaml", "-c", yaml)
    shards = tmp_path / "shards"
    written = cli("data", "shard", "--data", chain[1], "--data", yaml, "--output", shards)
    assert written.status == 0, written.err
    assert "train2: 2 frames of KITTI camera_z more -> " in written.out
    call = ("fit", *chain, "--trainer.max_steps", 8, "--trainer.default_root_dir")
    assert cli(*call, tmp_path / "files").status == 0
    again = ("fit", *chain, "-c", shards / "data.yaml", *call[-3:], tmp_path / "shards-run")
    stopped = cli(*again, "--trainer.callbacks+=tests.lightning_app.training.test_fit.StopAt")
    assert stopped.status == 0, stopped.err
    checkpoints = tmp_path / "shards-run" / "checkpoints"
    assert cli(*again, "--ckpt_path", checkpoints / "stopped.ckpt").status == 0
    one, two = weights(tmp_path / "files" / "checkpoints" / "last.ckpt"), weights(checkpoints / "last.ckpt")
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_leaks_are_seen_between_files_and_shards(data_root: Path) -> None:
    write_shards(VirtualKitti("vkitti", scenes=["Scene01"]), [0, 1], str(data_root / "shards"))
    with pytest.raises(ValueError, match="2 training frames are also validation or test frames"):
        DepthDataModule([Shards("shards")], [VirtualKitti("vkitti")], []).refuse_leaks()
    other = VirtualKitti("vkitti", scenes=["Scene01"], variations=["fog"])
    with pytest.raises(ValueError, match="1 scenes are trained on and evaluated on"):
        DepthDataModule([Shards("shards")], [other], []).refuse_leaks()


def test_what_is_no_shards_or_corrupt_is_said(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"void: shards are missing or incomplete; looked for shards written by"
    ):
        len(Shards("void"))
    call = ("data", "shard", "VirtualKitti", "--root", "vkitti", "--scenes", '["Scene01"]', "--output", tmp_path / "s")
    broken = sorted((data_root / "vkitti" / "Scene01").rglob("depth_*.png"))[1]
    broken.write_bytes(broken.read_bytes()[:60])
    refused = cli(*call)
    assert refused.status == 1
    assert "1 of 6 frames are corrupt, e.g. " in refused.err
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(("s", ".partial"))]
    skipped = cli(*call, "--skip-corrupt")
    assert skipped.status == 0, skipped.err
    assert f"skipped: {broken}" in skipped.err
    assert len(Shards(str(tmp_path / "s"))) == 5
    again = cli(*call)
    assert again.status == 2
    assert "exists already" in again.err
    chunk = next((tmp_path / "s").glob("chunk-*.bin"))
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    with pytest.raises(FileNotFoundError, match=r"chunk-.*: incomplete, \d+ of \d+ bytes"):
        list(Shards(str(tmp_path / "s")))
    (tmp_path / "s" / "mine.txt").write_text("kept")
    assert "mine.txt is not part of shards and would be removed" in cli(*call, "--skip-corrupt", "--overwrite").err
    (tmp_path / "s" / "mine.txt").unlink()
    assert cli(*call, "--skip-corrupt", "--overwrite").status == 0
    assert len(list(Shards(str(tmp_path / "s")))) == 5


def test_frames_that_do_not_decode_are_named(data_root: Path) -> None:
    write_shards(Photos("photos"), [0, 1, 2], str(data_root / "shards"))
    chunks = sorted((data_root / "shards").glob("chunk-*.bin"))
    content = bytearray(chunks[0].read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    chunks[0].write_bytes(content)
    with pytest.raises(CorruptFrameError, match="corrupt"):
        list(Shards("shards"))


def test_leaks_are_seen_after_the_data_has_moved(data_root: Path) -> None:
    """A link that the shards were written through, and another disk."""
    (data_root / "link").symlink_to(data_root / "photos")
    for name in ("link", "photos"):
        write_shards(Photos(name), [0, 1, 2], str(data_root / f"shards-{name}"))
    (data_root / "link").unlink()
    with pytest.raises(ValueError, match="3 training frames are also validation or test frames"):
        DepthDataModule([Shards("shards-link")], [Shards("shards-photos")], []).refuse_leaks()
    write_shards(VirtualKitti("vkitti", scenes=["Scene01"]), [0, 1], str(data_root / "shards"))
    (data_root / "disk").mkdir()
    (data_root / "vkitti").rename(data_root / "disk" / "vkitti")
    with pytest.raises(ValueError, match="1 scenes are trained on and evaluated on"):
        DepthDataModule([Shards("shards")], [VirtualKitti("disk/vkitti")], []).refuse_leaks()


def test_a_chunk_that_is_not_there_is_found(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LitData's index names it all the same."""
    monkeypatch.setattr(shard_writing, "CHUNK", 2000)
    folder = data_root / "shards"
    write_shards(VirtualKitti("vkitti"), list(range(12)), str(folder))
    require_chunks(str(folder))
    chunks = sorted(folder.glob("chunk-*.bin"))
    assert len(chunks) > 3
    chunks[1].unlink()
    with pytest.raises(Exception, match=chunks[1].name):
        require_chunks(str(folder))


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of a server on this machine that speaks S3."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, ssl_context=context)
    environment = {
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{server.port}",
        "AWS_CA_BUNDLE": str(tmp_path / "ca.pem"),
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Thread(target=server.serve_forever, daemon=True).start()
    boto3.client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket"
    server.shutdown()


@pytest.mark.slow
def test_shards_on_s3(bucket: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.chdir(tmp_path)
    reader = VirtualKitti("vkitti", scenes=["Scene01"])
    call = ("data", "shard", "VirtualKitti", "--root", "vkitti", "--scenes", '["Scene01"]', "--output")
    written = cli(*call, f"{bucket}/streets")
    assert written.status == 0, written.err
    assert_same_frames(reader, Shards(f"{bucket}/streets"))
    loader: DataLoader[Any] = DepthDataModule([Shards(f"{bucket}/streets")], [], [], workers=2).train_dataloader()
    from_files: DataLoader[Any] = DepthDataModule([reader], [], [], workers=0).train_dataloader()
    for one, two in zip(loader, from_files, strict=True):
        assert torch.equal(one["image"], two["image"])
        assert torch.equal(one["depth"], two["depth"])
    for target, status, message in (
        (f"{bucket}/streets", 2, "shards exist already; give --overwrite"),
        ("s3://nobody/streets", 1, "s3://nobody/streets: cannot write shards (An error occurred (NoSuchBucket)"),
    ):
        refused = cli(*call, target)
        assert refused.status == status
        assert message in refused.err.splitlines()[-1]
        assert "Traceback" not in refused.err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    refused = cli(*call, f"{bucket}/more")
    assert refused.status == 1
    assert "cannot be read (Unable to locate credentials)" in refused.err
