"""Score predictions frame by frame and average the metrics."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.progress import track
from torch import Tensor

from datamodules import DepthDataModule, Reader
from lightning_app.checkpoints import Checkpoint
from lightning_app.evaluation.metrics import COUNTS, FrameErrors, mean_errors, score_frame, why_invalid
from lightning_app.evaluation.protocols import AnyProtocol, protocol, views

Predict = Callable[[dict[str, Any]], Tensor | None]
Results = dict[str, dict[str, float]]


class FrameScore(NamedTuple):
    """Score of one frame under one protocol.

    Attributes:
        path: path of the image.
        protocol: name of the protocol.
        errors: metrics of the frame, or ``missing`` or ``invalid``.
        reason: why the frame is invalid; empty for others.
    """

    path: str
    protocol: str
    errors: FrameErrors
    reason: str = ""


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
    """Score predictions frame by frame. Each frame is scored under every protocol that supports its ground truth.

    Args:
        data: data module that makes the batches.
        readers: readers of the frames.
        protocols: protocols from :func:`lightning_app.evaluation.protocols.fitting`.
        predict: called with a batch of one evaluation sample. Returns (1, 1, h, w), or None without a prediction, which
            counts the frame as missing.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        size: (height, width) of the images; None for the data module's size.
        title: title of the progress bar; None for no bar.

    Yields:
        The score of each frame under each protocol.

    Raises:
        FileNotFoundError: missing data.
        CorruptFrameError: a corrupt frame, unless the data module skips corrupt frames.
    """
    loader = data.evaluation_dataloader(readers, size=size, views=views(protocols), batch_size=1)
    for batch in track(loader, title or "", disable=title is None):
        moved = data.on_after_batch_transfer(batch, 0)
        prediction = predict(moved)
        depth = None if prediction is None else prediction[0, 0]
        for each in protocols:
            errors = score_frame(depth, moved, 0, each, predicts)
            if errors is not None:
                invalid = isinstance(errors, str) and errors == "invalid"
                reason = why_invalid(depth, predicts, each) if invalid and depth is not None else ""
                yield FrameScore(moved["path"][0], each.name, errors, reason)


def print_invalid(scores: Iterable[FrameScore]) -> Iterator[FrameScore]:
    """Yield the scores unchanged, and report invalid ones on stderr."""
    for score in scores:
        if score.reason:
            print(f"invalid under {score.protocol}: {score.path} ({score.reason})", file=sys.stderr)
        yield score


def mean_scores(scores: Iterable[FrameScore], protocols: Sequence[AnyProtocol]) -> Results:
    """Mean of each metric over frames, and the frame counts, by protocol."""
    errors: dict[str, list[FrameErrors]] = {each.name: [] for each in protocols}
    for score in scores:
        errors[score.protocol].append(score.errors)
    return {each.name: _as_numbers(mean_errors(errors[each.name], each)) for each in protocols}


def readers_of(data: DepthDataModule, split: str) -> list[Reader]:
    """Readers of the split ``val`` or ``test``; raises ValueError for another split."""
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    return data.val if split == "val" else data.test


def split_readers(data: DepthDataModule, split: str) -> list[Reader]:
    """Readers of the split ``val`` or ``test``, after a check that their files exist.

    Raises:
        FileNotFoundError: missing files, unless corrupt frames are skipped.
        ValueError: another split, or a split without a reader.
    """
    readers = readers_of(data, split)
    data.setup("validate" if split == "val" else "test")
    return readers


def describe(readers: Sequence[Reader], names: Sequence[str]) -> str:
    """Names and frame counts of the readers that the named protocols score. Frames of several readers are pooled."""
    readers = [reader for reader in readers if any(reader.truth in protocol(name).truths for name in names)]
    named = " and ".join(f"{reader} ({len(reader)} frames)" for reader in readers)
    return named + (", pooled" if len(readers) > 1 else "")


def warn_of_leaks(checkpoint: Checkpoint, readers: Sequence[Reader]) -> None:
    """Warn on stderr of scenes that a checkpoint was trained on and is scored on, or that this is unknown.

    Only what the checkpoint records is compared. Its YAML is of unknown origin, so no reader is built from it.
    """
    if checkpoint.training_data is None:
        why = "it does not record its training data"
        print(f"warning: {checkpoint.path}: unknown whether it was trained on these frames: {why}", file=sys.stderr)
    for reader in readers:
        seen: set[str] = set()
        with contextlib.suppress(FileNotFoundError, ValueError, ImportError):  # missing data is reported later
            seen = set().union(*(each.seen(reader) for each in checkpoint.training_data or ()))
        if seen:
            scenes = f"{len(seen)} scenes of {reader}, e.g. {min(seen)}"
            print(f"warning: {checkpoint.path} was trained on {scenes}", file=sys.stderr)


def require_scored(results: Results) -> None:
    """Raise RuntimeError if no frame was scored under any protocol."""
    if not any(metrics["frames"] for metrics in results.values()):
        raise RuntimeError("no frame could be scored: all are missing or invalid")


def _as_numbers(metrics: dict[str, Tensor]) -> dict[str, float]:
    return {name: int(value) if name in COUNTS else float(value) for name, value in metrics.items()}
