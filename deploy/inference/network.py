"""The interface of a network in any runtime. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo

if TYPE_CHECKING:
    from models.prediction import Predicts


class Network(Protocol):
    """A depth network of one file, which takes one image of its own size.

    Attributes:
        runtime: what runs it, such as ``onnxruntime``.
        path: the file.
        size: (height, width) of its input.
        info: the file's metadata.
    """

    runtime: str
    path: Path
    size: tuple[int, int]
    info: ModelInfo

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """RGB in [0, 1], (1, 3, height, width) -> what it predicts, (1, 1, h, w)."""
        ...

    @property
    def predicts(self) -> Predicts:
        """``depth`` in metres, or ``inverse_depth`` up to scale and shift; a file that does not say predicts depth."""
        return self.info.predicts or "depth"

    @property
    def canonical_focal_px(self) -> float | None:
        """Focal length of the canonical camera that its depth is for, in pixels of its input; None if for any."""
        return self.info.canonical_focal_px
