"""A plane seen through any chain of crop, resize and flip must be projected by the intrinsics that come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datamodules import Augmentation, Frame, geometry
from datamodules.augmentation import Sample, resized

K = np.array([[300, 0, 155.3], [0, 310, 93.7], [0, 0, 1]], np.float32)


def slanted_plane(intrinsics: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
    """Depth of the plane n . X = 1 at each pixel centre."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    rays = np.linalg.inv(intrinsics.astype(np.float64)) @ np.stack([columns, rows, np.ones(size)]).reshape(3, -1)
    return np.asarray(1 / (np.array([0.01, 0.02, 0.1]) @ rays).reshape(size))


@given(st.lists(st.sampled_from(["crop", "resize", "flip"]), min_size=1, max_size=5), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_pixels_of_a_point_follow_the_intrinsics(steps: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    intrinsics, width = K, 320.0
    point = np.array([random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(4, 9)])
    u, v, w = K @ point
    pixel = np.array([u / w, v / w])
    mirrored = False
    for step in steps:
        if step == "crop":
            left, top = random.integers(0, 9, 2)
            intrinsics, pixel, width = geometry.crop(intrinsics, left, top), pixel - [left, top], width - left
        elif step == "resize":
            scale = random.uniform(0.5, 2, 2)
            scale[0] = round(width * scale[0]) / width
            intrinsics = geometry.resize(intrinsics, *scale)
            pixel, width = scale * (pixel + 0.5) - 0.5, width * scale[0]
        else:
            intrinsics, mirrored = geometry.flip(intrinsics, int(width)), not mirrored
            pixel = np.array([int(width) - 1 - pixel[0], pixel[1]])
    u, v, w = intrinsics @ (point * [-1, 1, 1] if mirrored else point)
    np.testing.assert_allclose([u / w, v / w], pixel, atol=2e-3)


def plane_frame(size: tuple[int, int], intrinsics: NDArray[np.float32]) -> Frame:
    """A slanted plane; red and green of a pixel say its column and row in the frame."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([columns * 250 / size[1], rows * 250 / size[0], np.zeros(size)], axis=2).round().astype(np.uint8)
    return Frame(image, slanted_plane(intrinsics, size).astype(np.float32), intrinsics, "real", Path("x"))


def assert_fits(sample: Sample, frame: Frame) -> None:
    """The plane at each pixel of a sample, and the colour that names the pixel that it came from."""
    intrinsics, depth = sample["intrinsics"].numpy(), sample["depth"][0].numpy()
    size, scale = depth.shape, max(frame.image.shape[0] / depth.shape[0], frame.image.shape[1] / depth.shape[1])
    red, green = sample["image"][:2].float().numpy()
    mirrored = red[0, 0] > red[0, -1]
    seen = geometry.flip(intrinsics, size[1]) if mirrored else intrinsics
    expected = slanted_plane(seen, size)
    expected = expected[:, ::-1] if mirrored else expected
    np.testing.assert_allclose(depth, expected, rtol=3e-3 * max(1, scale))  # nearest: half a pixel of the frame
    x, y = np.meshgrid(*(((np.arange(n) - seen[a, 2]) / seen[a, a]) for a, n in ((0, size[1]), (1, size[0]))))
    k = frame.intrinsics
    column, row = k[0, 0] * x + k[0, 2], k[1, 1] * y + k[1, 2]
    column = column[:, ::-1] if mirrored else column
    edge = (slice(3, -3), slice(3, -3))  # where a filter would need what is outside
    np.testing.assert_allclose(red[edge], (column * 250 / frame.image.shape[1])[edge], atol=1.6)
    np.testing.assert_allclose(green[edge], (row * 250 / frame.image.shape[0])[edge], atol=1.6)


@given(st.integers(0, 2**63 - 1))
@settings(max_examples=40, deadline=None)
def test_an_ordinal_pair_stays_on_its_pixels(key: int) -> None:
    """Whatever is turned, cropped, resized and flipped; a point that leaves the image takes the order with it."""
    frame = plane_frame((240, 320), K)._replace(pair=np.array([100, 200, 130, 90, -1]))
    augmentation = Augmentation(zoom=3, flip=0.5, photometric=0, pitch=(-5, 5), roll=(-5, 5), yaw=(-5, 5))
    sample = augmentation(frame, (120, 160), key)
    *points, order = sample["pair"].tolist()
    inside = all(0 <= y < 120 and 0 <= x < 160 for y, x in (points[:2], points[2:]))
    assert order == (-1 if inside else 0)
    for (row, column), (y, x) in zip((points[:2], points[2:]), ((100, 200), (130, 90)), strict=True):
        if inside:
            red, green = sample["image"][:2, row, column].tolist()
            assert red == pytest.approx(x * 250 / 320, abs=3)  # it is rounded to a pixel of another size
            assert green == pytest.approx(y * 250 / 240, abs=3)


SIZES = st.sampled_from([(192, 320), (375, 1242), (480, 640), (240, 181)])


@given(SIZES, st.sampled_from([(96, 160), (64, 224), (128, 96)]), st.integers(0, 2**63 - 1))
@settings(max_examples=40, deadline=None)
def test_augmented_plane_fits_its_intrinsics(frame_size: tuple[int, int], size: tuple[int, int], key: int) -> None:
    """Whatever is cropped, resized and flipped, of frames and samples of any shape."""
    frame = plane_frame(frame_size, K)
    assert_fits(Augmentation(zoom=1.6, flip=0.5, photometric=0)(frame, size, key), frame)


@given(SIZES, st.sampled_from([(64, 96), (96, 320), (256, 512)]), st.booleans())
@settings(max_examples=20, deadline=None)
def test_resized_plane_fits_its_intrinsics(frame_size: tuple[int, int], size: tuple[int, int], kb: bool) -> None:
    frame = plane_frame((376, 1241) if kb else frame_size, K)
    sample = resized(frame, size, view="kb" if kb else "full")
    assert_fits(sample, frame)
    np.testing.assert_array_equal(sample["full_depth"][0].numpy(), frame.depth)
    whole = [0, frame.depth.shape[0], 0, frame.depth.shape[1]]
    assert sample["box"].tolist() == ([24, 376, 12, 1228] if kb else whole)


def test_a_turned_camera_sees_the_turned_plane() -> None:
    """Its depth where it looks at what was seen, unknown elsewhere; and down is down, right is right."""
    frame = plane_frame((240, 320), K)
    turned = Augmentation(zoom=1, flip=0, photometric=0, pitch=(4, 4), roll=(-3, -3), yaw=(2, 2))(frame, (240, 320), 1)
    rotation = geometry.turn(4, -3, 2)
    rows, columns = np.mgrid[:240, :320]
    rays = np.linalg.inv(K.astype(np.float64)) @ np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1)
    expected = (1 / (np.array([0.01, 0.02, 0.1]) @ rotation.T @ rays)).reshape(240, 320)
    depth = turned["depth"][0].numpy()
    known = depth > 0
    np.testing.assert_allclose(depth[known], expected[known], rtol=5e-3)  # nearest: half a pixel
    x, y, z = K @ rotation.T @ rays
    seen = (x >= 0) & (x <= 319 * z) & (y >= 0) & (y <= 239 * z)
    np.testing.assert_array_equal(known.reshape(-1)[~_edge(x, y, z)], seen[~_edge(x, y, z)])
    red = turned["image"][0].numpy().reshape(-1)
    np.testing.assert_allclose(red[seen], (x / z * 250 / 320)[seen], atol=1.6)
    assert (geometry.turn(4, 0, 0) @ [0, 0, 1])[1] < 0 < (geometry.turn(0, 0, 4) @ [0, 0, 1] * [-1, 1, 1])[0]
    assert (geometry.turn(0, 4, 0) @ [1, 0, 1])[1] < 0


def _edge(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points within a pixel of the border of a frame of 240x320."""
    near = [np.abs(value / z - border) < 1 for value, border in ((x, 0), (x, 319), (y, 0), (y, 239))]
    return near[0] | near[1] | near[2] | near[3]


def test_turns_are_of_the_key_and_no_other_draw_changes() -> None:
    frame = plane_frame((64, 96), K)
    still, turning = Augmentation(), Augmentation(yaw=(-5, 5))
    assert all((turning(frame, (64, 96), 3)["image"] == turning(frame, (64, 96), 3)["image"]).flatten())
    assert (still(frame, (64, 96), 3)["intrinsics"] == turning(frame, (64, 96), 3)["intrinsics"]).all()
    assert (turning(frame, (64, 96), 3)["depth"] != turning(frame, (64, 96), 4)["depth"]).any()


@pytest.mark.parametrize("pitch", [(2, 1), (-50, 0), (0, 46)])
def test_turns_out_of_range_are_refused(pitch: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="needs pitch"):
        Augmentation(pitch=pitch)


def test_without_zoom_the_crop_is_as_large_as_can_be() -> None:
    for frame_size, size in (((375, 1242), (192, 640)), ((64, 96), (96, 64)), ((5, 5), (32, 64))):
        sample = Augmentation(zoom=1, flip=0, photometric=0)(plane_frame(frame_size, K), size, 3)
        scale = max(size[0] / frame_size[0], size[1] / frame_size[1])
        assert float(sample["intrinsics"][0, 0]) == pytest.approx(
            K[0, 0] * scale, rel=0.2 if frame_size[0] == 5 else 0.02
        )


def test_kb_view_of_a_small_frame_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"x: a frame of 192x320 \(height x width\) is smaller than the KB crop, 352x1216"
    ):
        resized(plane_frame((192, 320), K), (64, 96), view="kb")
