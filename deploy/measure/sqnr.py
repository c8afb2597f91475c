"""How far a smaller file's depth is from its fp32 reference's. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.inference.onnx_network import OnnxNetwork


class Fidelity(NamedTuple):
    """What a smaller file keeps.

    Attributes:
        sqnr_db: signal to quantization noise of depth, see :func:`sqnr_db`.
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
    """Compare a network with the predictions of its fp32 reference for the same inputs."""
    found = [other(image) for image in inputs]
    changes = []
    for known, depth in zip(expected, found, strict=True):
        error = depth - known
        positive = other.predicts == "depth" and known.min() > 0
        changes.append(float(np.mean(np.abs(error) / (known if positive else max(np.abs(known).max(), 1e-30)))))
    return Fidelity(sqnr_db(zip(expected, found, strict=True)), float(np.mean(changes)))


def sqnr_db(pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Signal to quantization noise, 10 log10(sum p^2 / sum (p - q)^2), of what is expected, p, and found, q."""
    signal = noise = 0.0
    for expected, found in pairs:
        exact = expected.astype(np.float64)
        signal += float(np.square(exact).sum())
        noise += float(np.square(exact - found).sum())
    return 10 * float(np.log10(signal / max(noise, 1e-30)))
