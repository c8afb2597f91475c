"""Score predictions on several data sets separately."""

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
    """Score each reader under every protocol that supports its ground truth and the predictions.

    Args:
        data: data module that makes the batches.
        readers: readers, one for each data set.
        protocols: candidate protocols.
        predict: prediction function, see :func:`lightning_app.evaluation.evaluate.frame_scores`.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        size: (height, width) of the images.

    Returns:
        One row for each data set and protocol. A data set with missing files or without a protocol has one row without
        metrics.
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
                note = f"{reader}: no protocol for {reader.truth} ground truth"
                rows.append(Row(str(reader), "not scored", {}, note))
                continue
            if data.on_corrupt == "raise":
                reader.require_files()
            scores = frame_scores(data, [reader], fitting, predict, predicts, size=size, title=str(reader))
            results = mean_scores(print_invalid(scores), fitting)
        except FileNotFoundError as error:
            rows.append(Row(str(reader), "missing", {}, str(error)))
        else:
            rows += [Row(str(reader), name, metrics) for name, metrics in results.items()]
    return rows
