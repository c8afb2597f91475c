"""Folders of frames and video files: which frames they have, in which order, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import Video
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import picture, write_picture

SIZE = (48, 64)
CAMERA = [50.0, 50.0, 31.5, 23.5]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(tmp_path))
    return tmp_path


def write_frames(folder: Path, numbers: range, size: tuple[int, int] = SIZE) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        write_picture(folder / f"frame{number}.png", number, size)


def write_video(path: Path, numbers: range) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE[::-1])
    for number in numbers:
        writer.write(cv2.cvtColor(picture(number, SIZE), cv2.COLOR_RGB2BGR))
    writer.release()


def test_frames_of_a_folder_are_ordered_by_number(root: Path) -> None:
    write_frames(root / "drive" / "a", range(8, 12))
    write_frames(root / "drive" / "a" / "b", range(3))
    reader = Video("drive", CAMERA)
    names = [path.parent.name + path.stem.removeprefix("frame") for path in reader.paths]
    assert names == ["a8", "a9", "a10", "a11", "b0", "b1", "b2"]
    assert reader.scenes_found == {"drive/a", "drive/b"}
    assert [len(frame.neighbours) for frame in reader] == [1, 2, 2, 1, 1, 2, 1]
    frame = reader[1]
    assert [each.pose for each in frame.neighbours] == [None, None]
    for image, number in ((frame.image, 9), (frame.neighbours[0].image, 8), (frame.neighbours[1].image, 10)):
        assert (image == picture(number, SIZE)).all()
    assert frame.intrinsics.tolist() == [[50, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]
    assert not frame.depth.any()


def test_frames_of_a_file_are_those_that_were_written(root: Path) -> None:
    write_video(root / "drive.mp4", range(30))
    reader = Video("drive.mp4", CAMERA, step=2)
    assert len(reader) == 30
    for place in (0, 1, 17, 29):
        frame = reader[place]
        wanted = [each for each in (place, place - 2, place + 2) if 0 <= each < 30]
        images = [frame.image, *(each.image for each in frame.neighbours)]
        assert len(images) == len(wanted)
        for image, number in zip(images, wanted, strict=True):
            assert abs(image.astype(int) - picture(number, SIZE)).mean() < 6
    assert reader.files(reader.entries[3]) == [root / "drive.mp4"]
    reader.require_files()


def test_files_and_folders_are_read_together(root: Path) -> None:
    write_video(root / "drives" / "one.mp4", range(4))
    write_frames(root / "drives" / "two", range(3))
    (root / "drives" / "notes.txt").touch()
    reader = Video("drives", CAMERA)
    assert len(reader) == 7
    assert len(reader.scenes_found) == 2


@pytest.mark.parametrize(
    ("camera", "step", "message"),
    [
        ([50, 50, 31.5], 1, "must have four values: fx, fy, cx, cy"),
        ([-50, 50, 31.5, 23.5], 1, "focal lengths -50 and 50 px: not positive"),
        (CAMERA, 0, "step 0 must be positive"),
    ],
)
def test_a_wrong_camera_or_step_is_refused(camera: list[float], step: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Video("x", camera, step)


def test_what_is_no_video_is_refused(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (root / "broken.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(
        ValueError, match=r"broken\.mp4: cannot be decoded as a video; convert it, or extract its frames"
    ):
        len(Video("broken.mp4", CAMERA))
    assert not capfd.readouterr().err
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        len(Video("nowhere", CAMERA))
    write_frames(root / "one", range(1))
    with pytest.raises(FileNotFoundError, match="no frame has a neighbour of previous or next"):
        len(Video("one", CAMERA))


def test_a_truncated_video_ends_where_it_ends(root: Path) -> None:
    write_video(root / "drive.avi", range(30))
    data = (root / "drive.avi").read_bytes()
    (root / "drive.avi").write_bytes(data[: len(data) // 2])
    reader = Video("drive.avi", CAMERA)
    assert reader[2].image.shape == (*SIZE, 3)
    with pytest.raises(CorruptFrameError, match=r"drive\.avi: frame \d+ cannot be decoded"):
        reader[len(reader) - 1] if len(reader) == 30 else reader.read(reader.entries[0]._replace(image=Path("29")))


def test_frames_of_another_camera_are_corrupt(root: Path) -> None:
    write_frames(root / "small", range(3), (12, 16))
    with pytest.raises(CorruptFrameError, match=r"principal point of camera, \(31.5, 23.5\), is outside .* 12x16"):
        Video("small", CAMERA)[0]
    write_frames(root / "mixed", range(2))
    write_picture(root / "mixed" / "frame2.png", 1, (40, 64))
    with pytest.raises(CorruptFrameError, match="a neighbour: its image is 40x64"):
        Video("mixed", CAMERA)[1]
