"""Scores of single frames, and of what looks at no image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules import DepthDataModule, Reader
from datamodules.augmentation import resized
from lightning_app.callbacks.panels import in_metres
from lightning_app.evaluation.evaluate import split_readers
from lightning_app.evaluation.metrics import DepthMetrics
from lightning_app.evaluation.protocols import fitting, views

Scores = dict[str, dict[str, dict[str, float]]]
"""By protocol, frame and metric."""


class Picture(NamedTuple):
    """A frame and what was predicted of it.

    Attributes:
        path: the image's file.
        image: RGB in [0, 1], (3, H, W).
        truth: metres, (1, H, W), 0 where unknown.
        prediction: metres, (1, H, W).
    """

    path: str
    image: Tensor
    truth: Tensor
    prediction: Tensor


class Scorer:
    """Predictions on the frames of a split, one at a time.

    Args:
        predict: called with each batch, of one sample: (1, 1, h, w).
        predicts: what that is, ``depth`` or ``inverse_depth``.
        data: makes the batches, and names the protocols.
        split: ``val`` or ``test``.
    """

    def __init__(
        self, predict: Callable[[dict[str, Any]], Tensor], predicts: str, data: DepthDataModule, split: str
    ) -> None:
        self.predict, self.predicts, self.data = predict, predicts, data
        self.readers = split_readers(data, split)
        data.batch_size = 1

    def scores(self) -> Scores:
        """The metrics of the frames that could be scored."""
        protocols = fitting(self.data.protocols, self.readers, self.predicts)
        self.data.views = views(protocols)
        metrics = [DepthMetrics(each, self.predicts) for each in protocols]
        scores: Scores = {each.name: {} for each in protocols}
        for batch in self.data.evaluation_dataloader(self.readers):
            moved = self.data.on_after_batch_transfer(batch, 0)
            prediction = self.predict(moved)
            for metric in metrics:
                metric.update(prediction, moved)
                values = {name: float(value) for name, value in metric.compute().items() if "/" not in name}
                metric.reset()
                if values["frames"]:
                    scores[metric.protocol.name][moved["path"][0]] = values
        return scores

    def pictures(self, most: int = 6) -> list[Picture]:
        """Frames that are spread over the split."""
        self.data.views = None
        loader = self.data.evaluation_dataloader(self.readers)
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
    """The geometric mean of the known depth at each pixel, mirrored frames included, in metres, (1, 1, height, width).

    Args:
        readers: of the frames.
        size: (height, width).
        most: frames of each reader, spread evenly; a pixel that few of them know, in the sky, is as far as any.
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
