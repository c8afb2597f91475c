"""Deviation of a quantized file from its fp32 reference. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.inference.network import require_finite
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.agreement import Image, Run, relative_difference


class Deviation(NamedTuple):
    """Deviation of predicted depth from the fp32 reference.

    Attributes:
        sqnr_db: signal-to-quantization-noise ratio of depth in dB, see :func:`sqnr_db`.
        change: mean relative change of depth, see :func:`deploy.measure.agreement.relative_difference`.
    """

    sqnr_db: float
    change: float

    def __str__(self) -> str:
        return f"SQNR of the depth {self.sqnr_db:.1f} dB, mean change {self.change:.2%}"


class Fp32Reference:
    """Outputs of an fp32 network, for comparison with other files.

    Args:
        network: the fp32 network.
        images: RGB in [0, 1], (1, 3, height, width) each.

    Raises:
        RuntimeError: an output is not finite.
    """

    def __init__(self, network: OnnxNetwork, images: Iterable[Image]) -> None:
        self.path, self.predicts = network.path, network.predicts
        self.images = list(images)
        self.expected = [require_finite(network(image), network.path).astype(np.float64) for image in self.images]

    def compare(self, other: Run) -> Deviation:
        """Run another network on the same images and return its deviation.

        Raises:
            RuntimeError: an output of the other network is not finite.
        """
        found = [other(image) for image in self.images]
        if not all(np.isfinite(each).all() for each in found):
            raise RuntimeError(f"{self.path}: what is made from it predicts NaN or infinite values; nothing is written")
        pairs = list(zip(self.expected, found, strict=True))
        changes = [float(np.mean(relative_difference(*pair, self.predicts))) for pair in pairs]
        return Deviation(sqnr_db(pairs), float(np.mean(changes)))


def sqnr_db(pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Signal-to-quantization-noise ratio in dB of pairs (expected p, found q): 10 log10(sum p^2 / sum (p - q)^2)."""
    signal = noise = 0.0
    for expected, found in pairs:
        exact = expected.astype(np.float64)
        signal += float(np.square(exact).sum())
        noise += float(np.square(exact - found).sum())
    return 10 * float(np.log10(signal / max(noise, 1e-30)))
