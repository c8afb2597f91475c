from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import VirtualKitti, VirtualKitti1
from datamodules.depth_io import read_vkitti_depth, write_vkitti_depth
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import SIZE, picture, road, write_vkitti1


def test_vkitti_reads_what_was_written(data_root: Path) -> None:
    reader = VirtualKitti("vkitti", scenes=["Scene01"], variations=["fog"])
    assert len(reader) == 3
    frame = reader[1]
    truth = road(SIZE, 56.0)
    near = truth <= 80
    np.testing.assert_allclose(frame.depth[near], truth[near], atol=0.00501)
    assert (frame.depth[~near] == 0).all()
    assert frame.intrinsics.tolist() == [[56.0, 0.0, 47.5], [0.0, 56.0, 31.5], [0.0, 0.0, 1.0]]
    assert frame.domain == "synthetic"
    assert frame.path.name == "rgb_00001.jpg"


def test_vkitti_clamps_the_sky(data_root: Path) -> None:
    depth = VirtualKitti("vkitti", max_depth=50.0, beyond="clamp")[0].depth
    assert depth.max() == 50.0
    assert (depth > 0).all()


@pytest.mark.parametrize("layout", ["vkitti_2.0.3_{}", "{}"])
def test_vkitti_reads_every_way_of_unpacking(data_root: Path, layout: str) -> None:
    merged = VirtualKitti("vkitti")
    split = data_root / "split"
    for scene in ("Scene01", "Scene02"):
        for variation in ("clone", "fog"):
            source = data_root / "vkitti" / scene / variation
            for kind in ("rgb", "depth"):
                shutil.copytree(
                    source / "frames" / kind, split / layout.format(kind) / scene / variation / "frames" / kind
                )
            text = split / layout.format("textgt") / scene / variation
            text.mkdir(parents=True)
            shutil.copy(source / "intrinsic.txt", text)
    other = VirtualKitti("split")
    assert len(other) == len(merged) == 12
    for one, two in zip(merged, other, strict=True):
        np.testing.assert_array_equal(one.depth, two.depth)
        np.testing.assert_array_equal(one.image, two.image)


def test_vkitti_depth_survives_a_round_trip(tmp_path: Path) -> None:
    depth = np.random.default_rng(0).uniform(0.01, 655.35, (8, 9)).astype(np.float32)
    write_vkitti_depth(tmp_path / "d.png", depth)
    np.testing.assert_allclose(read_vkitti_depth(tmp_path / "d.png"), depth, atol=0.00502)


def test_vkitti_leaves_frames_out(data_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = VirtualKitti("vkitti", exclude=["Scene01/0", "Scene02/2"])
    assert len(reader) == 12 - 2 * 2
    names = {f"{path.parents[4].name}/{path.name}" for path in reader.paths}
    assert "Scene01/rgb_00001.jpg" in names
    assert not names & {"Scene01/rgb_00000.jpg", "Scene02/rgb_00002.jpg"}
    assert len(VirtualKitti("vkitti", exclude=["Scene01/7"])) == 12
    assert "exclude names Scene01/7, which is not a frame of this data set" in caplog.text


def test_vkitti_names_what_is_missing(data_root: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no Scene99; found Scene01, Scene02; looked for Virtual KITTI 2\.0\.3"
    ):
        len(VirtualKitti("vkitti", scenes=["Scene99"]))
    with pytest.raises(
        FileNotFoundError, match=r"nowhere: no such folder; looked for Virtual KITTI.*POCKETDEPTH_DATA is"
    ):
        len(VirtualKitti("nowhere"))


def test_vkitti_refuses_corrupt_frames(data_root: Path) -> None:
    reader = VirtualKitti("vkitti")
    image, depth, *_ = reader.entries[0]
    depth.write_bytes(depth.read_bytes()[:-100])
    with pytest.raises(CorruptFrameError, match="corrupt depth file"):
        reader[0]
    Image.new("L", SIZE[::-1]).save(depth)
    with pytest.raises(CorruptFrameError, match=r"must be a 16-bit PNG with 1 channel, found 8 bits and 1 channels"):
        reader[0]
    write_vkitti_depth(depth, np.full((5, 5), 9, np.float32))
    with pytest.raises(CorruptFrameError, match=r"depth has shape \(5, 5\), but its image has \(64, 96\)"):
        reader[0]
    image.write_bytes(image.read_bytes()[:400])
    with pytest.raises(CorruptFrameError, match=r"rgb_00000\.jpg: corrupt image"):
        reader[0]


def test_vkitti1_has_one_camera(data_root: Path) -> None:
    write_vkitti1(data_root / "old")
    reader = VirtualKitti1("old", worlds=["0020"], variations=["15-deg-left"], beyond="clamp")
    assert [path.name for path in reader.paths] == ["00000.png", "00001.png"]
    frame = reader[0]
    assert frame.image.shape == (375, 1242, 3)
    np.testing.assert_allclose(frame.depth, road((375, 1242), 725.0).clip(max=80), atol=0.00502)
    assert frame.intrinsics.tolist() == [[725, 0, 620.5], [0, 725, 187], [0, 0, 1]]
    assert len(VirtualKitti1("old")) == 8
    assert len(VirtualKitti1("old").scenes_found) == 2
    with pytest.raises(FileNotFoundError, match=r"no 0099; found 0001, 0020; looked for Virtual KITTI 1\.3\.1"):
        len(VirtualKitti1("old", worlds=["0099"]))


def test_vkitti_without_its_text_has_its_own_camera(data_root: Path) -> None:
    """As people unpack it who take the archives of rgb and depth alone."""
    folder = Path("Scene01", "clone", "frames")
    rgb, depth = (data_root / "two" / kind / folder / kind / "Camera_1" for kind in ("rgb", "depth"))
    rgb.mkdir(parents=True)
    depth.mkdir(parents=True)
    Image.fromarray(picture(0, (375, 1242))).save(rgb / "rgb_00000.jpg")
    write_vkitti_depth(depth / "depth_00000.png", road((375, 1242), 725.0))
    reader = VirtualKitti("two", cameras=[1])
    reader.require_files()
    assert reader[0].intrinsics[0].tolist() == pytest.approx([725.0087, 0, 620.5])


def test_vkitti_says_which_camera_is_not_there(data_root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Scene01/clone/frames/rgb/Camera_1: no rgb_\*\.jpg in it"):
        len(VirtualKitti("vkitti", cameras=[0, 1]))


def test_licence_of_renders_and_of_other_frames(data_root: Path) -> None:
    root = data_root / "vkitti"
    assert VirtualKitti("vkitti").licence.commercial is False
    for text in ("", "[1]", "3", '{"blender": "4.5"}', "{"):  # somebody else's settings
        (root / "settings.json").write_text(text)
        assert VirtualKitti("vkitti").licence.commercial is False
    (root / "settings.json").write_text('{"blender": "4.5", "pocketdepth": "0.1.0", "textures": null}')
    assert VirtualKitti("vkitti").licence.commercial is True
    (root / "settings.json").write_text('{"blender": "4.5", "pocketdepth": "0.1.0", "textures": "12ab"}')
    assert VirtualKitti("vkitti").licence.commercial is None
