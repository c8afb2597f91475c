"""From linear colour to an image: air, exposure, lens and noise."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_app.data_tools.camera_effects import Effects, develop, draw_effects
from lightning_app.data_tools.render_settings import VARIATIONS

SIZE = (40, 120)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A grey ramp under the sky, with depth from 5 to 100 m."""
    depth = np.broadcast_to(np.linspace(100, 5, SIZE[0])[:, None], SIZE).astype(np.float32).copy()
    colour = np.broadcast_to(np.linspace(0.05, 0.5, SIZE[1])[None, :, None], (*SIZE, 3)).astype(np.float32).copy()
    depth[:10], colour[:10] = np.inf, 0.6
    return colour, depth


def test_a_plain_camera_exposes_for_grey_and_applies_gamma() -> None:
    colour, depth = scene()
    image = develop(colour, depth, Effects(), np.random.default_rng(0))
    grey = np.median(colour[10:])
    expected = np.clip(colour * 0.18 / grey, 0, 1) ** (1 / 2.2) * 255
    assert np.abs(image - expected).max() <= 1
    twice = develop(2 * colour, depth, Effects(), np.random.default_rng(0))  # automatic exposure
    assert np.abs(image.astype(int) - twice).max() <= 1


def test_fog_takes_contrast_with_distance() -> None:
    colour, depth = scene()
    clear, fog = (
        develop(colour, depth, Effects(visibility=visibility), np.random.default_rng(0)).astype(float)
        for visibility in (np.inf, 50.0)
    )
    near, far = slice(35, 40), slice(12, 17)
    left = [np.ptp(fog[rows].mean((0, 2))) / np.ptp(clear[rows].mean((0, 2))) for rows in (near, far)]
    assert left[0] > 0.2
    assert left[1] < 0.2 * left[0]


@pytest.mark.parametrize(
    "change", [{"glare": 0.5}, {"blur": 0.01}, {"fringe": 0.01}, {"vignette": 0.5}, {"dirt": 0.9}, {"noise": 0.05}]
    + [{"drops": 1.0}, {"contrast": 1.4}, {"balance": (1.2, 1.0, 0.8)}, {"mid": 0.3}, {"sharpen": 1.0}],
)  # fmt: skip
def test_every_effect_changes_the_image_and_only_its_random_part_differs(change: dict[str, object]) -> None:
    colour, depth = scene()
    colour[20:30, 40:60] *= 12
    plain = develop(colour, depth, Effects(), np.random.default_rng(0))
    effects = Effects()._replace(**change)  # type: ignore[arg-type]
    images = [develop(colour, depth, effects, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert (images[0] != plain).any()
    assert images[0].dtype == np.uint8
    assert (images[0] != images[2]).any() == bool({"noise", "dirt", "drops"} & set(change))


@pytest.mark.parametrize("variation", VARIATIONS)
def test_drawn_cameras_leave_something_to_see(variation: str) -> None:
    colour, depth = scene()
    for seed in range(30):
        effects = draw_effects(np.random.default_rng(seed), variation)
        assert effects == draw_effects(np.random.default_rng(seed), variation)
        image = develop(colour, depth, effects, np.random.default_rng(0))
        assert 20 < image.mean() < 240
        assert image.std() > 4
        assert 60 <= effects.quality < 97
    assert (effects.drops > 0) == (variation == "rain")


def test_no_sky_and_black_frames() -> None:
    colour, depth = scene()
    inside = np.full_like(depth, 8.0)
    assert develop(colour, inside, Effects(visibility=50.0), np.random.default_rng(0)).std() > 5
    assert not develop(0 * colour, inside, Effects(), np.random.default_rng(0)).any()
