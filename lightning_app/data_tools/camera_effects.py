"""What lies between a rendered street and a photograph: air, lens, exposure, noise. Linear colour -> 8-bit image."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Distance at which an object's contrast falls to 5 %, metres, and density of the rain, by variation.
_VISIBILITY = {"fog": (50.0, 400.0), "rain": (200.0, 2000.0)}
_CLEAR = (1500.0, 40000.0)
_DROPS = {"rain": (0.0, 1.0)}


class Effects(NamedTuple):
    """A camera and the air before it, the same for all frames of a variation. The values of a plain camera are the
    defaults.

    Attributes:
        visibility: metres.
        drops: density of the rain, from 0 to 1.
        mid: value of a grey surface in the image, linear, from 0 to 1.
        balance: gain of red, green and blue.
        contrast: of the tone curve; 1 for none.
        glare: share of the light of bright places that spreads around them.
        blur: standard deviation, as a share of the image's width.
        fringe: by how much red is larger than blue, as a share of the image's width.
        vignette: how much darker the corners are, from 0 to 1.
        dirt: how much light the spots on the lens absorb, from 0 to 1.
        noise: standard deviation at full brightness.
        sharpen: strength of the camera's sharpening.
        quality: of the JPEG.
    """

    visibility: float = np.inf
    drops: float = 0.0
    mid: float = 0.18
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    glare: float = 0.0
    blur: float = 0.0
    fringe: float = 0.0
    vignette: float = 0.0
    dirt: float = 0.0
    noise: float = 0.0
    sharpen: float = 0.0
    quality: int = 95


def draw_effects(rng: np.random.Generator, variation: str) -> Effects:
    """Draw a camera, and the air of a variation."""
    low, high = np.log(_VISIBILITY.get(variation, _CLEAR))
    red, blue = rng.normal(1, 0.07, 2)
    return Effects(
        visibility=float(np.exp(rng.uniform(low, high))),
        drops=float(rng.uniform(*_DROPS.get(variation, (0.0, 0.0)))),
        mid=float(np.exp(rng.uniform(np.log(0.05), np.log(0.25)))),
        balance=(float(red), 1.0, float(blue)),
        contrast=float(rng.uniform(1.2, 2.4)),
        glare=float(rng.choice([0.0, rng.uniform(0, 0.12)])),
        blur=float(rng.choice([0.0, rng.uniform(0, 0.0015)])),
        fringe=float(rng.choice([0.0, rng.normal(0, 0.001)])),
        vignette=float(rng.uniform(0, 0.4)),
        dirt=float(rng.choice([0.0, rng.uniform(0.05, 0.5)], p=[0.8, 0.2])),
        noise=float(rng.uniform(0.002, 0.015)),
        sharpen=float(rng.uniform(0, 1.2)),
        quality=int(rng.integers(60, 97)),
    )


def develop(colour: Array, depth: Array, effects: Effects, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn linear colour into the image of a camera.

    Args:
        colour: linear colour, (H, W, 3).
        depth: metres, (H, W); infinite in the sky.
        effects: the camera and the air.
        rng: what differs from frame to frame: noise, drops, and the spots on the lens.

    Returns:
        RGB, (H, W, 3).
    """
    image: Array = np.maximum(np.asarray(colour, np.float32), 0)
    image = _through_air(image, depth, effects.visibility)
    grey = float(np.median(image[np.isfinite(depth)].mean(-1)))
    image = image * np.float32(effects.mid / max(grey, 1e-6))
    image = np.asarray(image * np.asarray(effects.balance, np.float32), np.float32)
    if effects.drops:
        image = _rain(image, effects.drops, rng)
    image = _lens(image, effects, rng)
    if effects.noise:
        image += rng.normal(size=image.shape).astype(np.float32) * effects.noise * np.sqrt(image + 0.02)
    image = np.clip(image, 0, 1)
    tone: NDArray[np.floating] = image ** np.float32(1 / 2.2)
    if effects.contrast != 1:
        curve = tone ** np.float32(effects.contrast)
        tone = curve / (curve + (1 - tone) ** np.float32(effects.contrast))
    if effects.sharpen:
        tone += effects.sharpen * (tone - cv2.GaussianBlur(tone, (0, 0), 1.0))
    return np.asarray(np.rint(np.clip(tone, 0, 1) * 255), np.uint8)


def _through_air(image: Array, depth: Array, visibility: float) -> Array:
    """Mix colour with that of the air, by Koschmieder's law."""
    if not np.isfinite(visibility):
        return image
    sky = image[np.isinf(depth)]
    air = np.percentile(sky if len(sky) else image.reshape(-1, 3), 50, axis=0)
    seen = np.exp(-3.0 * np.minimum(depth, 1e5) / visibility)[..., None].astype(np.float32)
    return np.asarray(image * seen + air * (1 - seen), np.float32)


def _lens(image: Array, effects: Effects, rng: np.random.Generator) -> Array:
    height, width = image.shape[:2]
    if effects.glare:
        bright = np.minimum(np.maximum(image - 0.8, 0), 4)
        for share in (0.01, 0.06):
            image = image + effects.glare * np.asarray(cv2.GaussianBlur(bright, (0, 0), share * width), np.float32)
    if effects.fringe:
        for channel, sign in ((0, 1), (2, -1)):
            scale = 1 + 2 * sign * effects.fringe
            shift = np.array([[scale, 0, (1 - scale) * width / 2], [0, scale, (1 - scale) * height / 2]])
            image[..., channel] = cv2.warpAffine(
                image[..., channel], shift, (width, height), borderMode=cv2.BORDER_REPLICATE
            )
    if effects.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), max(effects.blur * width, 0.1)), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width**2 / 4)
    light = 1 - effects.vignette * np.minimum(radius, 1)
    if effects.dirt:
        for _ in range(rng.poisson(4)):
            place, size = rng.uniform(0, 1, 2) * [width, height], rng.uniform(0.01, 0.05) * width
            far = np.hypot(x - place[0], y - place[1]) / size
            spot = 1 / (1 + np.exp(np.minimum(8 * (far - 1), 50)))
            light = light - light * effects.dirt * rng.uniform(0.3, 1) * spot
    return np.asarray(image * light[..., None], np.float32)


def _rain(image: Array, density: float, rng: np.random.Generator) -> Array:
    """Add streaks of rain, all of about one direction."""
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.float32)
    tilt = rng.normal(0, 0.15)
    for _ in range(int(density * 250)):
        x, y, length = rng.uniform(0, width), rng.uniform(-0.1, 1) * height, rng.uniform(0.03, 0.16) * height
        end = (int(x + tilt * length), int(y + length))
        cv2.line(streaks, (int(x), int(y)), end, float(rng.uniform(0.02, 0.1)), 1, cv2.LINE_AA)
    share = np.asarray(cv2.GaussianBlur(streaks, (0, 0), 0.5))[..., None]
    return np.asarray(image * (1 - share) + share * np.percentile(image, 90), np.float32)
