"""Interface of a network in any runtime. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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
        threads: number of threads; None for the runtime's own choice.
        size: (height, width) of the input.
        info: metadata of the file.
    """

    runtime: str
    path: Path
    threads: int | None
    size: tuple[int, int]
    info: ModelInfo

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict from RGB in [0, 1], (1, 3, height, width). Returns depth or inverse depth, (1, 1, h, w)."""
        ...

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy as path and threads: sessions cannot be copied, so the copy opens the file again."""
        return type(self), (self.path.absolute(), self.threads)

    @property
    def predicts(self) -> Predicts:
        """``depth`` in metres, or ``inverse_depth`` up to scale and shift. Default without metadata: ``depth``."""
        return self.info.predicts or "depth"

    @property
    def canonical_focal_px(self) -> float | None:
        """Focal length of the canonical camera in pixels of the input; None without such a camera."""
        return self.info.canonical_focal_px


def require_finite(output: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return the output of a network. Raises RuntimeError, with the file, if it has NaN or infinite values."""
    if not np.isfinite(output).all():
        raise RuntimeError(f"{path}: its output has NaN or infinite values; the weights in the file are damaged")
    return output
