"""How far a smaller file's depth is from its fp32 twin's. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.runtime import OnnxNetwork


class Fidelity(NamedTuple):
    """What a smaller file keeps.

    Attributes:
        sqnr_db: signal to quantization noise of depth, 10 log10(sum p^2 / sum (p - q)^2).
        change: mean absolute change of depth as a share of it; of inverse depth, as a share of the image's largest.
    """

    sqnr_db: float
    change: float

    def __str__(self) -> str:
        return f"SQNR of the depth {self.sqnr_db:.1f} dB, mean change {self.change:.2%}"


def predictions(network: OnnxNetwork, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float64]]:
    """What a network says of each input."""
    return [network(image).astype(np.float64) for image in inputs]


def fidelity(
    expected: Sequence[NDArray[np.float64]], other: OnnxNetwork, inputs: Sequence[NDArray[np.float32]]
) -> Fidelity:
    """Compare a network with the predictions of its twin for the same inputs."""
    signal = noise = 0.0
    changes = []
    for image, known in zip(inputs, expected, strict=True):
        error = other(image) - known
        signal += float(np.square(known).sum())
        noise += float(np.square(error).sum())
        positive = other.predicts == "depth" and known.min() > 0
        changes.append(float(np.mean(np.abs(error) / (known if positive else max(np.abs(known).max(), 1e-30)))))
    return Fidelity(10 * float(np.log10(signal / max(noise, 1e-30))), float(np.mean(changes)))
