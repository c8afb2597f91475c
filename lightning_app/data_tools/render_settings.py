"""What rendered streets look like. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from datamodules.folders import find_images

# Virtual KITTI's; `lightning_app.data_tools.blender.light` has their light, and `camera_effects` their air.
VARIATIONS = (
    "clone", "morning", "sunset", "overcast", "fog", "rain",
    "15-deg-left", "15-deg-right", "30-deg-left", "30-deg-right",
)  # fmt: skip
VARIETY = ("layout", "vegetation", "vehicles", "people", "furniture", "near", "textures", "effects")
LONGEST = 120.0  # metres that the camera drives; a street goes on for as long beyond
SMALLEST_SIDE = 32  # pixels; the denoiser and the networks need some
_LIMITS = {"focal": (0.1, 10.0), "height": (0.2, 20.0), "pitch": (-80.0, 80.0), "step": (0.0, 20.0)}


@dataclass(frozen=True)
class RenderSettings:
    """Settings of rendered streets. Frames are a function of them and of the scene's number.

    Attributes:
        seed: random seed.
        size: (height, width) of the images, pixels.
        frames: frames of a scene and variation, one after another.
        variations: names of Virtual KITTI's variations, in light, weather and direction.
        per_scene: how many of ``variations`` a scene has; they are drawn.
        focal: range of the focal length, as a share of the image's width; 0.58 in KITTI.
        height: range of the camera's height above the street, metres.
        pitch: range of the angle by which the camera looks down, degrees.
        step: range of the distance between frames, metres.
        stereo: whether there is a right camera, 0.54 m beside the left one.
        samples: paths of light per pixel.
        denoise: whether to denoise.
        textures: folder of photographs that cover surfaces, or None.
        without: kinds of variety to leave out, for ablations.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: a value that makes no sense.
    """

    seed: int
    size: tuple[int, int]
    frames: int
    variations: tuple[str, ...]
    per_scene: int
    focal: tuple[float, float]
    height: tuple[float, float]
    pitch: tuple[float, float]
    step: tuple[float, float]
    stereo: bool
    samples: int
    denoise: bool
    textures: Path | None
    without: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} is negative")
        if min(self.size) < SMALLEST_SIDE:
            raise ValueError(f"size {self.size[0]}x{self.size[1]}: a side has at least {SMALLEST_SIDE} pixels")
        for name, (least, most) in _LIMITS.items():
            low, high = getattr(self, name)
            if not (math.isfinite(low) and math.isfinite(high) and least <= low <= high <= most):
                raise ValueError(f"{name} {low:g} {high:g} is not an ascending range within {least:g} to {most:g}")
        if self.frames * self.step[1] > LONGEST:
            raise ValueError(
                f"{self.frames} frames with steps of up to {self.step[1]:g} m: a street is {LONGEST:g} m long; use "
                "more scenes of fewer frames"
            )
        _require(self.variations, VARIATIONS, "variation")
        _require(self.without, VARIETY, "kind of variety")
        if not 1 <= self.per_scene <= len(self.variations):
            raise ValueError(f"per_scene {self.per_scene}: there are {len(self.variations)} variations to draw from")
        if self.textures is not None:
            if "textures" in self.without:
                raise ValueError("textures are given, and left out by without; give one of both")
            find_images(self.textures)

    @property
    def frames_per_scene(self) -> int:
        """Frames of all variations and cameras of a scene."""
        return self.per_scene * self.frames * (1 + self.stereo)

    def drawn(self, scene: int) -> list[str]:
        """The variations of a scene."""
        rng = np.random.default_rng((self.seed, scene))
        places = sorted(rng.choice(len(self.variations), self.per_scene, replace=False).tolist())
        return [self.variations[place] for place in places]


def _require(names: Sequence[str], known: Sequence[str], what: str) -> None:
    if unknown := [name for name in names if name not in known]:
        close = get_close_matches(unknown[0], known, n=1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise ValueError(f"no {what} {unknown[0]!r}; {meant}")
    if len(set(names)) < len(names):
        raise ValueError(f"{what} {max(names, key=list(names).count)!r} is given twice")
