"""Averages over frames: batches, padding, counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lightning_app.evaluation.metrics import NAMES, DepthMetrics
from lightning_app.evaluation.protocols import PROTOCOLS
from tests.lightning_app.evaluation.test_protocols import errors, reference

KITTI_EIGEN = PROTOCOLS["kitti-eigen"]


def expected(prediction: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    return errors(*reference("kitti-eigen", prediction.astype(np.float64), truth.astype(np.float64)))


def example(seed: int, size: tuple[int, int] = (60, 130)) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    truth = random.uniform(1, 120, size).astype(np.float32) * (random.random(size) < 0.3)
    return random.uniform(1, 100, (12, 20)).astype(np.float32), truth.astype(np.float32)


def batch_of(examples: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> tuple[torch.Tensor, dict[str, Any]]:
    height = max(truth.shape[0] for _, truth in examples)
    width = max(truth.shape[1] for _, truth in examples)
    truths = torch.zeros(len(examples), 1, height, width)
    for index, (_, truth) in enumerate(examples):
        truths[index, 0, : truth.shape[0], : truth.shape[1]] = torch.from_numpy(truth)
    sizes = torch.tensor([truth.shape for _, truth in examples])
    predictions = torch.stack([torch.from_numpy(prediction)[None] for prediction, _ in examples])
    boxes = torch.stack([torch.tensor([0, height, 0, width]) for height, width in sizes.tolist()])
    count = len(examples)
    batch = {"full_depth": truths, "full_size": sizes, "box": boxes, "truth": ["lidar_x"] * count}
    return predictions, batch | {"view": ["full"] * count, "full_pair": torch.zeros(count, 5, dtype=torch.int64)}


def test_batching_and_padding_change_nothing() -> None:
    examples = [example(seed, (60 + seed, 130 - 3 * seed)) for seed in range(5)]
    results = []
    for size in (1, 3):
        metric = DepthMetrics(KITTI_EIGEN)
        for start in range(0, 5, size):
            metric.update(*batch_of(examples[start : start + size]))
        results.append({name: float(value) for name, value in metric.compute().items()})
    assert results[0] == pytest.approx(results[1], rel=1e-6)
    means = np.mean([[expected(p, g)[name] for name in NAMES] for p, g in examples], axis=0)
    np.testing.assert_allclose([results[0][name] for name in NAMES], means, rtol=1e-5)


def test_frames_are_counted() -> None:
    good, empty, broken = example(0), example(1), example(2)
    empty[1][:] = 0
    broken[0][:] = np.nan
    metric = DepthMetrics(KITTI_EIGEN)
    metric.update(*batch_of([good, empty, broken]))
    result = metric.compute()
    assert [int(result[name]) for name in ("frames", "missing", "invalid")] == [1, 1, 1]
    assert float(result["abs_rel"]) == pytest.approx(expected(*good)["abs_rel"], rel=1e-5)
    assert torch.isnan(DepthMetrics(KITTI_EIGEN).compute()["abs_rel"])


def test_frames_of_another_truth_or_view_do_not_count() -> None:
    predictions, batch = batch_of([example(0), example(1), example(2)])
    metric = DepthMetrics(KITTI_EIGEN)
    metric.update(predictions, batch | {"truth": ["lidar_x", "annotated", "none"]})
    metric.update(predictions, batch | {"view": ["kb", "kb", "kb"]})
    result = metric.compute()
    assert [int(result[name]) for name in ("frames", "missing", "invalid")] == [1, 0, 0]


def test_a_range_averages_over_the_frames_that_have_pixels_in_it() -> None:
    near, far = (np.full((60, 130), depth, np.float32) for depth in (10.0, 50.0))
    prediction = np.full((12, 20), 11.0, np.float32)
    metric = DepthMetrics(PROTOCOLS["kitti-eigen-metric"])
    metric.update(*batch_of([(prediction, near), (prediction, far)]))
    result = {name: float(value) for name, value in metric.compute().items()}
    assert result["0-20m/abs_rel"] == pytest.approx(0.1)
    assert result["40-80m/abs_rel"] == pytest.approx(39 / 50)
    assert result["abs_rel"] == pytest.approx((0.1 + 39 / 50) / 2)
    assert np.isnan(result["20-40m/abs_rel"])
