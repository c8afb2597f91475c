"""Interface of a network in any runtime. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo

if TYPE_CHECKING:
    from models.prediction import Predicts


class Network(Protocol):
    """A depth network loaded from a file, with a batch size of 1 and a fixed input size.

    Attributes:
        runtime: name of the runtime, such as ``onnxruntime``.
        path: path of the file.
        size: (height, width) of the input.
        info: metadata of the file.
    """

    runtime: str
    path: Path
    size: tuple[int, int]
    info: ModelInfo

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict from RGB in [0, 1], (1, 3, height, width). Returns depth or inverse depth, (1, 1, h, w)."""
        ...

    @property
    def predicts(self) -> Predicts:
        """``depth`` in metres, or ``inverse_depth`` up to scale and shift. Default without metadata: ``depth``."""
        return self.info.predicts or "depth"

    @property
    def canonical_focal_px(self) -> float | None:
        """Focal length of the canonical camera in pixels of the input; None without such a camera."""
        return self.info.canonical_focal_px
