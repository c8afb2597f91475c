"""Any predictions on any data set under any protocols: one pass over the frames, and the mean of what it yields."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.progress import track
from torch import Tensor

from datamodules import DepthDataModule, Reader
from lightning_app.checkpoints import Checkpoint
from lightning_app.config import build_data_module
from lightning_app.evaluation.metrics import COUNTS, FrameErrors, mean_errors, score_frame
from lightning_app.evaluation.protocols import AnyProtocol, protocol, views

Predict = Callable[[dict[str, Any]], Tensor | None]
Results = dict[str, dict[str, float]]


class FrameScore(NamedTuple):
    """One frame under one protocol.

    Attributes:
        path: the image's file.
        protocol: the protocol's name.
        errors: the metrics, or ``missing`` or ``invalid``.
    """

    path: str
    protocol: str
    errors: FrameErrors


def frame_scores(
    data: DepthDataModule,
    readers: Sequence[Reader],
    protocols: Sequence[AnyProtocol],
    predict: Predict,
    predicts: str,
    *,
    size: tuple[int, int] | None = None,
    title: str | None = None,
) -> Iterator[FrameScore]:
    """Score predictions frame by frame, each frame under every protocol that is defined on its truth.

    Args:
        data: makes the batches.
        readers: of the frames.
        protocols: from :func:`lightning_app.evaluation.protocols.fitting`.
        predict: called with each batch, of one evaluation sample: (1, 1, h, w), or None where there is no prediction,
            so that the frame is missing.
        predicts: what that is, ``depth`` or ``inverse_depth``.
        size: (height, width) of the images; the data module's if left out.
        title: of the progress bar; no bar if left out.

    Raises:
        FileNotFoundError: data that is not there.
        CorruptFrameError: a corrupt frame, unless the data module skips them.
    """
    loader = data.evaluation_dataloader(readers, size=size, views=views(protocols), batch_size=1)
    for batch in track(loader, title or "", disable=title is None):
        moved = data.on_after_batch_transfer(batch, 0)
        prediction = predict(moved)
        for each in protocols:
            errors = score_frame(None if prediction is None else prediction[0, 0], moved, 0, each, predicts)
            if errors is not None:
                yield FrameScore(moved["path"][0], each.name, errors)


def print_invalid(scores: Iterable[FrameScore]) -> Iterator[FrameScore]:
    """Pass scores on, and name the invalid ones on stderr."""
    for score in scores:
        if score.errors == "invalid":
            print(f"invalid under {score.protocol}: {score.path}", file=sys.stderr)
        yield score


def mean_scores(scores: Iterable[FrameScore], protocols: Sequence[AnyProtocol]) -> Results:
    """The mean over frames of each metric, and the counts of frames, by protocol."""
    errors: dict[str, list[FrameErrors]] = {each.name: [] for each in protocols}
    for score in scores:
        errors[score.protocol].append(score.errors)
    return {each.name: _plain(mean_errors(errors[each.name], each)) for each in protocols}


def readers_of(data: DepthDataModule, split: str) -> list[Reader]:
    """The readers of ``val`` or ``test``; raises ValueError for another split."""
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    return data.val if split == "val" else data.test


def split_readers(data: DepthDataModule, split: str) -> list[Reader]:
    """The readers of ``val`` or ``test``, after a check that their files are there.

    Raises:
        FileNotFoundError: files of frames are not there, unless corrupt frames are skipped.
        ValueError: another split, or one without a reader.
    """
    readers = readers_of(data, split)
    data.setup("validate" if split == "val" else "test")
    return readers


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
