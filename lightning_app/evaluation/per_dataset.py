"""Predictions on several data sets, each scored separately."""

from __future__ import annotations

from collections.abc import Sequence

from datamodules import DepthDataModule, Reader
from lightning_app.evaluation.evaluate import Predict, frame_scores, mean_scores, print_invalid
from lightning_app.evaluation.protocols import AnyProtocol
from lightning_app.evaluation.tables import Row


def score_per_dataset(
    data: DepthDataModule,
    readers: Sequence[Reader],
    protocols: Sequence[AnyProtocol],
    predict: Predict,
    predicts: str,
    size: tuple[int, int],
) -> list[Row]:
    """Score each reader under every protocol that its ground truth and the predictions allow.

    Args:
        data: makes the batches.
        readers: a data set each.
        protocols: to choose from.
        predict: see :func:`lightning_app.evaluation.evaluate.frame_scores`.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        size: (height, width) of the images.

    Returns:
        A row for each data set and protocol; one without metrics for a data set without frames on this machine or
        without a protocol.
    """
    rows: list[Row] = []
    for reader in readers:
        try:
            fitting = [
                each
                for each in protocols
                if reader.truth in each.truths and (each.align != "none" or predicts == "depth")
            ]
            if not fitting:
                rows.append(Row(str(reader), "not scored", {}, f"{reader}: no protocol for {reader.truth} truth"))
                continue
            if data.on_corrupt == "raise":
                reader.require_files()
            scores = frame_scores(data, [reader], fitting, predict, predicts, size=size, title=str(reader))
            results = mean_scores(print_invalid(scores), fitting)
        except FileNotFoundError as error:
            rows.append(Row(str(reader), "not there", {}, str(error)))
        else:
            rows += [Row(str(reader), name, metrics) for name, metrics in results.items()]
    return rows
