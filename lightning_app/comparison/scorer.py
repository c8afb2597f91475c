"""Scores and pictures of frames, and the constant mean-depth baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules import DepthDataModule, Reader
from datamodules.augmentation import resized
from lightning_app.evaluation.evaluate import frame_scores, print_invalid, split_readers
from lightning_app.evaluation.metrics import mean_errors, require_maps
from lightning_app.evaluation.pictures import in_metres
from lightning_app.evaluation.protocols import fitting

Scores = dict[str, dict[str, dict[str, float]]]
"""Metrics of frames, indexed by protocol, path of the frame and name of the metric."""


class Picture(NamedTuple):
    """A frame and its prediction.

    Attributes:
        path: path of the image.
        image: RGB in [0, 1], (3, H, W).
        truth: ground truth in metres, (1, H, W), 0 where unknown.
        prediction: predicted depth in metres, (1, H, W).
    """

    path: str
    image: Tensor
    truth: Tensor
    prediction: Tensor


class Scorer:
    """Scores predictions on the frames of a split.

    Args:
        predict: called with a batch of one sample; returns (1, 1, h, w).
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        data: data module that makes the batches and contains the protocols.
        split: ``val`` or ``test``.
    """

    def __init__(
        self, predict: Callable[[dict[str, Any]], Tensor], predicts: str, data: DepthDataModule, split: str
    ) -> None:
        self.network, self.predicts, self.data = predict, predicts, data
        self.readers = split_readers(data, split)

    def predict(self, batch: dict[str, Any]) -> Tensor:
        """Predict a batch; raises ValueError if the prediction is not one map per image."""
        prediction = self.network(batch)
        require_maps(prediction, batch["image"], "the network")
        return prediction

    def scores(self) -> Scores:
        """Metrics of all frames that are not missing or invalid."""
        protocols = {each.name: each for each in fitting(self.data.protocols, self.readers, self.predicts)}
        scores: Scores = {name: {} for name in protocols}
        frames = frame_scores(self.data, self.readers, list(protocols.values()), self.predict, self.predicts)
        for path, name, errors, _ in print_invalid(frames):
            if not isinstance(errors, str):
                metrics = mean_errors([errors], protocols[name])
                scores[name][path] = {key: float(value) for key, value in metrics.items() if "/" not in key}
        return scores

    def pictures(self, most: int = 6) -> list[Picture]:
        """Pictures of at most ``most`` frames, spread evenly over the split."""
        loader = self.data.evaluation_dataloader(self.readers, batch_size=1)
        chosen = set(np.linspace(0, len(loader) - 1, min(most, len(loader))).round().astype(int).tolist())
        frames = []
        for index, batch in enumerate(loader):
            if index in chosen:
                moved = self.data.on_after_batch_transfer(batch, 0)
                truth = moved["depth"][0]
                prediction = in_metres(self.predict(moved)[0], truth, self.predicts)
                frames.append(Picture(moved["path"][0], moved["image"][0], truth, prediction))
        return frames


def mean_depth(readers: Sequence[Reader], size: tuple[int, int], most: int = 128) -> Tensor:
    """Geometric mean of the known depth at each pixel over frames and their mirror images.

    A pixel that is known in less than a fifth of the frames (sky) gets the largest mean depth.

    Args:
        readers: readers of the frames.
        size: (height, width) of the result.
        most: maximum number of frames per reader, spread evenly.

    Returns:
        Depth in metres, (1, 1, height, width).
    """
    total, count, frames = torch.zeros(size), torch.zeros(size), 0
    for reader in readers:
        for index in range(0, len(reader), -(-len(reader) // most)):
            depth: Tensor = resized(reader[index], size)["depth"][0]
            for each in (depth, depth.flip(-1)):
                total += torch.where(each > 0, each, 1).log()
                count += each > 0
                frames += 1
    mean = (total / count.clamp_min(1)).exp()
    return torch.where(count > frames / 5, mean, mean.max())[None, None]
