"""Score the predictions of any model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.geometry import View
from datamodules.reader import CorruptFrameError
from lightning_app.config import read_data_module
from lightning_app.evaluation.evaluate import (
    Results,
    describe,
    frame_scores,
    mean_scores,
    print_invalid,
    require_scored,
    split_readers,
)
from lightning_app.evaluation.metrics import same_aspect
from lightning_app.evaluation.prediction_arrays import PredictionArrays
from lightning_app.evaluation.prediction_files import Source, find_predictions
from lightning_app.evaluation.protocols import AnyProtocol, fitting
from lightning_app.evaluation.tables import print_results, write_results
from lightning_app.files import refuse_existing

REVERSED = 0.3  # mean rank correlation above which predictions are of the other kind; chance gives 0


def score(
    predictions: Path,
    data: list[Path],
    split: str = "test",
    protocols: list[str] | None = None,
    predicts: str = "depth",
    scale: float | None = None,
    view: View = "full",
    skip_missing: bool = False,
    stretched: bool = False,
    output: Path | None = None,
    overwrite: bool = False,
) -> Results:
    """Score a folder of predictions and print the table.

    A prediction has the path of its frame, or the last parts of it if they are unique:
    ``<date>/<drive>/image_02/data/0000000069.npy``, or ``rgb_00045.npy`` if no other frame has that name. Folders may
    be joined to the name, ``<drive>_0000000069.png``. Names may also be the numbers of all lines of the list, from 0.

    Args:
        predictions: folder of ``.npy`` or ``.npz`` (h, w) or 16-bit ``.png`` files; or one ``.npy`` or ``.npz`` file
            with an array of all frames in the order of the list, (n, h, w), or a ``.npz`` file with an array per frame.
            A prediction may have any size with the aspect ratio of its frame.
        data: YAMLs with a ``data`` section; later files override earlier ones.
        split: ``val`` or ``test``.
        protocols: names of protocols; None for those of the data section.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        scale: divisor of integer values; required for PNGs and integer arrays.
        view: region of the frame that a prediction covers, ``full`` or ``kb`` (KITTI benchmark crop).
        skip_missing: count frames without a valid prediction as missing instead of raising.
        stretched: accept predictions with another aspect ratio than their frames, e.g. of a network with square inputs.
        output: JSON file to write.
        overwrite: whether to replace an existing ``output``.

    Returns:
        Metrics and frame counts by protocol.

    Raises:
        FileNotFoundError: no such file, folder, YAML or data, or frames without a prediction.
        FileExistsError: ``output`` exists.
        ValueError: an unknown protocol or split, an invalid data section, integers without a valid scale, a prediction
            with the shape of something else, one prediction for two frames, or predictions of the other kind.
        RuntimeError: a corrupt prediction, or no frame could be scored.
    """
    if predicts not in ("depth", "inverse_depth") or view not in get_args(View):
        raise ValueError(f"predicts {predicts!r} and view {view!r} must be depth or inverse_depth, and full or kb")
    if scale is not None and not 0 < scale < np.inf:
        raise ValueError(f"scale {scale} must be positive and finite; KITTI's is 256")
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    module = read_data_module(data)
    readers = split_readers(module, split)
    sources = find_predictions(predictions, [path for reader in readers for path in reader.paths], skip_missing)
    arrays, trend = PredictionArrays(scale), _Trend(predicts)

    def predict(batch: dict[str, Any]) -> Tensor | None:
        source = sources.get(batch["path"][0])
        if source is None or not (batch["full_depth"].any() or batch["full_pair"].any()):
            return None
        try:
            prediction = arrays.read(*source)
        except CorruptFrameError as error:
            if not skip_missing:
                raise
            print(f"skipped: {error}", file=sys.stderr)
            return None
        prediction = _shaped(source, prediction, batch, stretched)
        trend.add(prediction, batch)
        return prediction

    names = protocols or module.protocols
    fitted = _with_view(fitting(names, readers, predicts), view)
    size = (8, 8)  # the images are not used
    scores = frame_scores(module, readers, fitted, predict, predicts, size=size, title="score")
    results = mean_scores(print_invalid(scores), fitted)
    trend.check(predictions)
    described = describe(readers, names)
    print_results(results, f"{predictions} on {split}: {described}", output)
    require_scored(results)
    if output is not None:
        write_results(
            output,
            results,
            predictions=str(predictions),
            data=[str(path) for path in data],
            split=split,
            frames=described,
            predicts=predicts,
            scale=scale,
            view=view,
            stretched=stretched,
        )
    return results


def _with_view(protocols: Sequence[AnyProtocol], view: View) -> list[AnyProtocol]:
    """Protocols for predictions of a view; raises ValueError if one uses pixels outside of it."""
    outside = [each.name for each in protocols if view == "kb" and getattr(each, "crop", None) is None]
    if outside:
        raise ValueError(f"protocol {outside[0]} uses pixels outside of the KB crop")
    return [replace(each, view=view) for each in protocols]


def _shaped(source: Source, prediction: Tensor, batch: dict[str, Any], stretched: bool) -> Tensor:
    """Return the prediction; raises ValueError if its shape is that of another view or has another aspect ratio."""
    height, width = prediction.shape[2:]
    view, frame, kb = batch["view"][0], tuple(batch["full_size"][0].tolist()), (352, 1216)
    if (height, width) == kb and view == "full" and frame != kb:
        raise ValueError(f"{source}: has the size of the KB crop, 352x1216, not of its frame; give --view kb")
    if (height, width) == frame and view == "kb":
        raise ValueError(f"{source}: has the size of its frame, not of the KB crop; leave out --view kb")
    seen = batch["view_size"][0].tolist()
    if not stretched and not same_aspect((height, width), seen):
        transposed = same_aspect((width, height), seen)
        advice = "it is transposed" if transposed else "give --stretched if images were squeezed to this shape"
        raise ValueError(
            f"{source}: a prediction of {height}x{width} does not have the aspect ratio of its frame, "
            f"{seen[0]}x{seen[1]}: {advice}"
        )
    return prediction


class _Trend:
    """Whether predictions grow with depth or with inverse depth, over all frames."""

    def __init__(self, predicts: str) -> None:
        self.predicts = predicts
        self.correlations: list[float] = []

    def add(self, prediction: Tensor, batch: dict[str, Any]) -> None:
        """Add the correlation of a prediction with the ground truth."""
        height, width = batch["full_size"][0].tolist()
        top, bottom, left, right = batch["box"][0].tolist()
        truth = batch["full_depth"][0, 0, :height, :width][top:bottom, left:right].double()
        values = F.interpolate(prediction.double(), truth.shape, mode="nearest")[0, 0]
        known = (truth > 0) & values.isfinite()
        if known.sum() > 1:
            ranks = torch.stack([_ranks(values[known]), _ranks(truth[known])])
            self.correlations.append(float(torch.corrcoef(ranks)[0, 1].nan_to_num()))

    def check(self, predictions: Path) -> None:
        """Raise ValueError if the predictions are clearly of the other kind."""
        mean = sum(self.correlations) / max(len(self.correlations), 1)
        if self.predicts == "depth" and mean < -REVERSED:
            raise ValueError(
                f"{predictions}: the predictions fall with depth (rank correlation {mean:.2f}): they are inverse depth "
                "or disparities; give --predicts inverse_depth"
            )
        if self.predicts == "inverse_depth" and mean > REVERSED:
            raise ValueError(
                f"{predictions}: the predictions grow with depth (rank correlation {mean:.2f}): they are depth, not "
                "inverse depth; leave out --predicts inverse_depth"
            )


def _ranks(values: Tensor) -> Tensor:
    """Ranks, (N,); equal values share theirs, so that a constant prediction correlates with nothing."""
    _, places, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ranks: Tensor = (counts.cumsum(0) - counts / 2)[places]
    return ranks
