"""What a reader of a user's own returns is checked where it leaves the reader, by the name of the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import DepthDataModule, Frame, Neighbour, Reader
from datamodules.reader import CorruptFrameError
from tests.conftest import Cli

SIZE = (6, 8)
CORRECT: dict[str, Any] = {
    "image": np.full((*SIZE, 3), 200, np.uint8),
    "depth": np.ones(SIZE, np.float32),
    "intrinsics": np.array([[9, 0, 4], [0, 9, 3], [0, 0, 1]], np.float32),
    "domain": "real",
    "path": Path("a.png"),
    "pair": np.array([0, 0, 5, 7, -1]),
    "inv_depth": np.ones(SIZE, np.float32),
}


def neighbour(**changed: Any) -> Neighbour:
    return Neighbour(**{"image": CORRECT["image"], "intrinsics": CORRECT["intrinsics"]} | changed)


class Mine(Reader):
    """Frames of two entries, with one field replaced."""

    layout, truth, root = "mine", "lidar_z", Path("mine")

    def __init__(self, **changed: Any) -> None:
        self.frame = CORRECT | changed

    def scan(self) -> list[Any]:
        return [(Path("a.png"),), (Path("b.png"),)]

    def read(self, entry: Any) -> Frame:
        return Frame(**self.frame)


def with_values(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    changed = CORRECT[name].copy()
    changed[index] = value
    return {name: changed}


@pytest.mark.parametrize(
    ("changed", "came"),
    [
        ({"image": CORRECT["image"] / np.float32(255)}, r"image is float32 \(6, 8, 3\) with values 0.784\d+ to 0.784"),
        ({"image": CORRECT["image"].astype(np.uint16)}, r"image is uint16 \(6, 8, 3\)"),
        ({"image": CORRECT["image"][..., 0]}, r"image is uint8 \(6, 8\)"),
        ({"image": CORRECT["image"].transpose(2, 0, 1)}, r"image is uint8 \(3, 6, 8\)"),
        ({"image": np.zeros((0, 8, 3), np.uint8)}, r"image is uint8 \(0, 8, 3\), but must be RGB uint8"),
        ({"image": torch.zeros(6, 8, 3)}, "image is Tensor"),
        ({"image": Image.new("RGB", SIZE)}, "image is Image"),
        (
            {"depth": np.full(SIZE, 900, np.uint16)},
            r"depth is uint16 \(6, 8\) with values 900 to 900, but must be float",
        ),
        ({"depth": np.ones(SIZE)}, "depth is float64"),
        ({"depth": np.ones((*SIZE, 1), np.float32)}, r"depth is float32 \(6, 8, 1\)"),
        ({"depth": None}, "depth is missing"),
        ({"intrinsics": np.eye(3)}, r"intrinsics is float64 \(3, 3\)"),
        ({"intrinsics": np.eye(4, dtype=np.float32)}, r"intrinsics is float32 \(4, 4\)"),
        ({"intrinsics": (9, 9, 4, 3)}, r"intrinsics is tuple \(9, 9, 4, 3\)"),
        ({"neighbours": [neighbour()]}, "neighbours is list"),
        ({"neighbours": (CORRECT["image"],)}, "image of a neighbour is missing"),
        ({"neighbours": (neighbour(image=np.ones(SIZE)),)}, r"image of a neighbour is float64 \(6, 8\)"),
        ({"neighbours": (neighbour(pose=np.eye(4)),)}, r"pose of a neighbour is float64 \(4, 4\)"),
        ({"domain": "indoor"}, "domain is str 'indoor', but must be synthetic or real"),
        ({"path": "a.png"}, r"path is str 'a\.png', but must be a pathlib\.Path"),
        ({"pair": np.zeros(4, np.int64)}, r"pair is int64 \(4,\)"),
        ({"pair": [0, 0, 5, 7, 1]}, "pair is list"),
        ({"inv_depth": np.ones(SIZE)}, "inv_depth is float64"),
    ],
)
def test_a_frame_of_wrong_types_is_wrong_use(changed: dict[str, Any], came: str) -> None:
    with pytest.raises(ValueError, match=rf"^reader tests\.datamodules\.test_contract\.Mine: {came}"):
        Mine(**changed)[0]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (with_values("depth", (2, 3), np.nan), "depth has negative or non-finite values"),
        (with_values("depth", (2, 3), -1), "depth has negative"),
        (with_values("depth", (2, 3), 1500), "depth reaches 1500 m, but must be metres up to 1000"),
        ({"depth": np.ones((5, 8), np.float32)}, r"depth has shape \(5, 8\), but its image has \(6, 8\)"),
        (with_values("intrinsics", (0, 0), np.nan), "not finite"),
        (with_values("intrinsics", (1, 1), -5), "focal lengths 9 and -5 px: not positive"),
        ({"intrinsics": CORRECT["intrinsics"].T}, "are not"),
        (with_values("inv_depth", (0, 0), 2), r"inv_depth has values outside \[0, 1\]"),
        (with_values("inv_depth", (0, 0), np.nan), r"inv_depth has values outside"),
        ({"inv_depth": np.ones((5, 8), np.float32)}, "inv_depth has shape"),
        (with_values("pair", (2,), 6), "pair .* is not two points in the image"),
        (with_values("pair", (4,), 0), "pair .* and 1 or -1"),
        ({"neighbours": (neighbour(image=np.zeros((5, 8, 3), np.uint8)),)}, "a neighbour: its image is 5x8 .* is 6x8"),
        ({"neighbours": (neighbour(intrinsics=-CORRECT["intrinsics"]),)}, "a neighbour: the intrinsics have focal"),
        ({"neighbours": (neighbour(pose=np.full((4, 4), np.nan, np.float32)),)}, "its pose has values that are not"),
        ({"neighbours": (neighbour(pose=2 * np.eye(4, dtype=np.float32)),)}, "its pose has no rotation matrix"),
    ],
)
def test_wrong_values_are_a_corrupt_frame(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(CorruptFrameError, match=f"^a.png: .*{problem}"):
        Mine(**changed)[0]


@pytest.mark.parametrize(
    "image", [CORRECT["image"][:, ::-1], np.asfortranarray(CORRECT["image"]), np.broadcast_to(np.uint8(9), (*SIZE, 3))]
)
def test_arrays_become_contiguous(image: Any) -> None:
    frame = Mine(image=image)[0]
    np.testing.assert_array_equal(frame.image, image)
    assert frame.image.flags.c_contiguous
    assert frame.image.flags.writeable


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (("a.png",), "the result of scan is tuple .*must be a list of tuples"),
        (None, "the result of scan is missing"),
        (["a.png"], r"an item of scan is str 'a\.png'"),
        ([("a.png", 1)], r"an item of scan is tuple \('a\.png', 1\), but must be part of a list .* pathlib\.Path"),
        ([Path("a.png")], "an item of scan is PosixPath"),
        ([()], "an item of scan is tuple"),
    ],
)
def test_a_scan_of_something_else_is_wrong_use(entries: Any, message: str) -> None:
    reader = Mine()
    reader.scan = lambda: entries  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=message):
        len(reader)


def test_a_reader_without_frames_or_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Mine()
    reader.scan = list  # type: ignore[method-assign]
    with pytest.raises(FileNotFoundError, match="mine: no frames; looked for mine"):
        len(reader)
    for name, value, message in (
        ("root", "mine", r"root is str 'mine', but must be a pathlib\.Path"),
        ("truth", "lidar", "truth is str 'lidar', but must be one of rendered, lidar_z"),
        ("layout", None, "layout is missing"),
    ):
        monkeypatch.setattr(Mine, name, value)
        with pytest.raises(ValueError, match=message):
            len(Mine())
        monkeypatch.undo()


def test_a_plain_tuple_is_no_frame() -> None:
    reader = Mine()
    reader.read = lambda entry: tuple(CORRECT.values())  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(ValueError, match=r"the result of read is tuple .* but must be a datamodules\.Frame"):
        reader[0]


def test_wrong_use_is_not_skipped_as_a_corrupt_frame() -> None:
    reader = Mine(depth=np.ones(SIZE))
    module = DepthDataModule([reader], [], [], size=(32, 32), batch_size=1, workers=0, on_corrupt="skip")
    with pytest.raises(ValueError, match="depth is float64"):
        next(iter(module.train_dataloader()))


SOURCE = """
from pathlib import Path
import numpy as np
from PIL import Image
from datamodules import Frame, Reader

class Pairs(Reader):
    layout, truth = "*.jpg", "lidar_z"

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def scan(self):
        return [(path,) for path in sorted(self.root.glob("*.jpg"))]

    def read(self, entry):
        image = np.asarray(Image.open(entry[0])){change}
        intrinsics = np.array([[70, 0, 45], [0, 70, 30], [0, 0, 1]], np.float32)
        return Frame(image, np.full(image.shape[:2], 5, np.float32), intrinsics, "real", entry[0])
"""


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [("", 0, ""), (" / np.float32(255)", 2, "reader {}.Pairs: image is float32 (60, 90, 3) with values 0")],
)
def test_data_check_of_a_reader_of_ones_own(
    data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, change: str, status: int, message: str
) -> None:
    name = f"own_reader_{status}"
    (tmp_path / f"{name}.py").write_text(SOURCE.format(change=change))
    monkeypatch.chdir(tmp_path)
    checked = cli("data", "check", f"{name}.Pairs", "--root", data_root / "photos", "--output", tmp_path / "check")
    assert checked.status == status, checked.err
    assert message.format(name) in checked.err
    assert "Traceback" not in checked.err
    (data_root / "photos" / "a.jpg").write_bytes(b"\xff\xd8 cut")
    if not status:
        damaged = cli("data", "check", f"{name}.Pairs", "--root", data_root / "photos", "--output", tmp_path / "check")
        assert damaged.status == 1
        assert "a.jpg: unreadable (cannot identify image file" in damaged.err
