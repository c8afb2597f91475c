"""Any predictions on any data set under any protocols, in one pass over the frames."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from datamodules import DepthDataModule, Reader
from datamodules.geometry import View
from lightning_app.checkpoints import Checkpoint
from lightning_app.config import build_data_module
from lightning_app.evaluation.metrics import COUNTS, DepthMetrics
from lightning_app.evaluation.protocols import fitting, protocol, views

Predict = Callable[[dict[str, Any]], Tensor | None]
Results = dict[str, dict[str, float]]


def measure(
    data: DepthDataModule,
    readers: Sequence[Reader],
    names: Sequence[str],
    predict: Predict,
    predicts: str,
    title: str,
    view: View | None = None,
) -> Results:
    """Score predictions of all frames.

    Args:
        data: makes the batches, of its own size.
        readers: of the frames.
        names: of the protocols.
        predict: called with each batch of evaluation samples: (B, 1, h, w), or None where there is no prediction, so
            that its frames are missing.
        predicts: what that is, ``depth`` or ``inverse_depth``.
        title: of the progress bar.
        view: what the predictions show of each frame; what the protocol says if left out.

    Returns:
        The metrics and the counts of frames by protocol.

    Raises:
        FileNotFoundError: data that is not there.
        ValueError: an unknown protocol, or one that fits neither the readers' truth nor the predictions.
    """
    protocols = fitting(names, readers, predicts)
    if view is not None:
        outside = [each.name for each in protocols if view == "kb" and getattr(each, "crop", None) is None]
        if outside:
            raise ValueError(f"protocol {outside[0]} counts pixels that the KB crop does not show")
        protocols = [replace(each, view=view) for each in protocols]
    data.batch_size = 1  # networks are run image by image, and what is invalid can be named
    data.views = views(protocols)
    metrics = [DepthMetrics(each, predicts) for each in protocols]
    for batch in track(data.evaluation_dataloader(readers), title):
        moved = data.on_after_batch_transfer(batch, 0)
        prediction = predict(moved)
        if prediction is None:
            prediction = torch.ones(len(moved["path"]), 1, 1, 1)
            moved = moved | {key: torch.zeros_like(moved[key]) for key in ("full_depth", "full_pair")}
        for metric in metrics:
            invalid = int(metric.invalid)
            metric.update(prediction, moved)
            if metric.invalid > invalid:
                print(f"invalid under {metric.protocol.name}: {moved['path'][0]}", file=sys.stderr)
    return {metric.protocol.name: _plain(metric.compute()) for metric in metrics}


def split_readers(data: DepthDataModule, split: str) -> list[Reader]:
    """The readers of ``val`` or ``test``, after a look for their files.

    Raises:
        FileNotFoundError: files of frames are not there, unless corrupt frames are skipped.
        ValueError: another split, or one without a reader.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    data.setup("validate" if split == "val" else "test")
    return data.val if split == "val" else data.test


def describe(readers: Sequence[Reader], names: Sequence[str]) -> str:
    """The data sets that the protocols of these names score, with their frames; several are pooled into one number."""
    readers = [reader for reader in readers if any(reader.truth in protocol(name).truths for name in names)]
    named = " and ".join(f"{reader} ({len(reader)} frames)" for reader in readers)
    return named + (", pooled" if len(readers) > 1 else "")


def warn_of_leaks(checkpoint: Checkpoint, readers: Sequence[Reader]) -> None:
    """Say which scenes a checkpoint was trained on and is scored on, as far as its training data is on this machine."""
    training: list[Reader] = []
    with contextlib.suppress(ValueError, KeyError, ImportError):
        training = build_data_module([checkpoint.config["data"]], str(checkpoint.path)).train
    trained = {scene for reader in training for scene in _scenes(reader)}
    for reader in readers:
        seen = trained & _scenes(reader)
        if seen:
            scenes = f"{len(seen)} scenes of {reader}, e.g. {min(seen)}"
            print(f"warning: {checkpoint.path} was trained on {scenes}", file=sys.stderr)


def _scenes(reader: Reader) -> set[str]:
    """The scenes of a reader, or its frames where scenes are not known; none where it is not on this machine."""
    with contextlib.suppress(FileNotFoundError, ValueError, ImportError):
        return reader.scenes_found or {str(path.resolve()) for path in reader.paths}
    return set()


def require_scored(results: Results) -> None:
    """Raise RuntimeError where no frame was scored under any protocol."""
    if not any(metrics["frames"] for metrics in results.values()):
        raise RuntimeError("not one frame could be scored: all are missing or invalid")


def _plain(metrics: dict[str, Tensor]) -> dict[str, float]:
    return {name: int(value) if name in COUNTS else float(value) for name, value in metrics.items()}
