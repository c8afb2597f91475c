from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules import KittiRaw
from lightning_app.metrics import NAMES, DepthMetrics, frame_errors
from lightning_app.protocols import KITTI_EIGEN, protocol

METRIC = protocol("kitti-eigen-metric")


def reference(prediction: NDArray[Any], truth: NDArray[Any], align: bool) -> dict[str, float]:
    """monodepth2's evaluation and the usual further metrics, in numpy."""
    height, width = truth.shape
    p = 1 / bilinear(1 / prediction.astype(np.float64), height, width)
    mask = (truth > 1e-3) & (truth < 80)
    rows = np.array([0.40810811 * height, 0.99189189 * height]).astype(np.int32)
    columns = np.array([0.03594771 * width, 0.96405229 * width]).astype(np.int32)
    crop = np.zeros(mask.shape, bool)
    crop[rows[0] : rows[1], columns[0] : columns[1]] = True
    p, g = p[mask & crop].astype(np.float64), truth[mask & crop].astype(np.float64)
    if align:
        p = p * (np.median(g) / np.median(p))
    p = p.clip(1e-3, 80)
    e = np.log(p) - np.log(g)
    ratio = np.maximum(p / g, g / p)
    return {
        "abs_rel": float(np.mean(np.abs(p - g) / g)),
        "sq_rel": float(np.mean((p - g) ** 2 / g)),
        "rmse": float(np.sqrt(np.mean((p - g) ** 2))),
        "rmse_log": float(np.sqrt(np.mean(e**2))),
        "log10": float(np.mean(np.abs(np.log10(p) - np.log10(g)))),
        "silog": float(100 * np.sqrt(np.mean(e**2) - np.mean(e) ** 2)),
        **{f"delta{k}": float(np.mean(ratio < 1.25**k)) for k in (1, 2, 3)},
    }


def bilinear(image: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """What cv2.resize does with INTER_LINEAR, in float64: pixel centres at halves, edges repeated."""
    for axis, target in ((0, height), (1, width)):
        length = image.shape[axis]
        place = ((np.arange(target) + 0.5) * length / target - 0.5).clip(0, length - 1)
        low = np.floor(place).astype(int)
        share = np.expand_dims(place - low, 1 - axis)
        high = np.minimum(low + 1, length - 1)
        image = image.take(low, axis) * (1 - share) + image.take(high, axis) * share
    return image


def example(seed: int, size: tuple[int, int] = (60, 130)) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    truth = random.uniform(1, 120, size).astype(np.float32) * (random.random(size) < 0.3)
    return random.uniform(1, 100, (12, 20)).astype(np.float32), truth.astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_the_reference(seed: int) -> None:
    prediction, truth = example(seed)
    for name in (KITTI_EIGEN, METRIC):
        errors = frame_errors(torch.from_numpy(prediction), torch.from_numpy(truth), name)
        assert errors is not None
        expected = reference(prediction, truth, name.align == "median")
        np.testing.assert_allclose(errors.numpy(), [expected[key] for key in NAMES], rtol=2e-6, atol=1e-6)


def test_metrics_are_the_reference_on_real_frames(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    random = np.random.default_rng(0)
    for frame in KittiRaw("kitti", "kitti/splits/val_files.txt", depth="forward_x"):
        prediction = random.uniform(2, 60, (96, 320)).astype(np.float32)
        errors = frame_errors(torch.from_numpy(prediction), torch.from_numpy(frame.depth), KITTI_EIGEN)
        assert errors is not None
        expected = reference(prediction, frame.depth, True)
        np.testing.assert_allclose(errors.numpy(), [expected[key] for key in NAMES], rtol=2e-6, atol=1e-6)


def batch_of(examples: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> tuple[torch.Tensor, dict[str, Any]]:
    height = max(truth.shape[0] for _, truth in examples)
    width = max(truth.shape[1] for _, truth in examples)
    truths = torch.zeros(len(examples), 1, height, width)
    for index, (_, truth) in enumerate(examples):
        truths[index, 0, : truth.shape[0], : truth.shape[1]] = torch.from_numpy(truth)
    sizes = torch.tensor([truth.shape for _, truth in examples])
    predictions = torch.stack([torch.from_numpy(prediction)[None] for prediction, _ in examples])
    return predictions, {"full_depth": truths, "full_size": sizes}


def test_batching_and_padding_change_nothing() -> None:
    examples = [example(seed, (60 + seed, 130 - 3 * seed)) for seed in range(5)]
    results = []
    for size in (1, 3):
        metric = DepthMetrics(KITTI_EIGEN)
        for start in range(0, 5, size):
            metric.update(*batch_of(examples[start : start + size]))
        results.append({name: float(value) for name, value in metric.compute().items()})
    assert results[0] == pytest.approx(results[1], rel=1e-6)
    means = np.mean([[reference(p, g, True)[name] for name in NAMES] for p, g in examples], axis=0)
    np.testing.assert_allclose([results[0][name] for name in NAMES], means, rtol=1e-5)


def test_frames_are_counted() -> None:
    good, empty, broken = example(0), example(1), example(2)
    empty[1][:] = 0
    broken[0][:] = np.nan
    metric = DepthMetrics(KITTI_EIGEN)
    metric.update(*batch_of([good, empty, broken]))
    result = metric.compute()
    assert [int(result[name]) for name in ("frames", "missing", "invalid")] == [1, 1, 1]
    assert float(result["abs_rel"]) == pytest.approx(reference(*good, True)["abs_rel"], rel=1e-5)
    assert torch.isnan(DepthMetrics(KITTI_EIGEN).compute()["abs_rel"])


def test_unknown_protocol_names_the_known() -> None:
    with pytest.raises(ValueError, match="no protocol 'kitty'; there are kitti-eigen, kitti-eigen-metric"):
        protocol("kitty")
