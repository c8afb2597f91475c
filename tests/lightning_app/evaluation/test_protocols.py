"""Each protocol against a few lines of numpy after the code that defines it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules import Diw, KittiRaw, NyuFolders
from lightning_app.evaluation.metrics import NAMES, frame_errors
from lightning_app.evaluation.protocols import PROTOCOLS, OrdinalProtocol, Protocol, fitting, protocol, views
from lightning_app.protocol_names import PROTOCOL_NAMES

Array = NDArray[Any]


def errors(p: Array, g: Array) -> dict[str, float]:
    e, ratio = np.log(p) - np.log(g), np.maximum(p / g, g / p)
    return {
        "abs_rel": np.mean(np.abs(p - g) / g),
        "sq_rel": np.mean((p - g) ** 2 / g),
        "rmse": np.sqrt(np.mean((p - g) ** 2)),
        "rmse_log": np.sqrt(np.mean(e**2)),
        "log10": np.mean(np.abs(np.log10(p) - np.log10(g))),
        "silog": 100 * np.sqrt(np.mean(e**2) - np.mean(e) ** 2),
        **{f"delta{k}": np.mean(ratio < 1.25**k) for k in (1, 2, 3)},
    }


def bilinear(image: Array, height: int, width: int) -> Array:
    """What cv2.resize does with INTER_LINEAR, in float64: pixel centres at halves, edges repeated."""
    if image.shape == (height, width):
        return image
    for axis, target in ((0, height), (1, width)):
        length = image.shape[axis]
        place = ((np.arange(target) + 0.5) * length / target - 0.5).clip(0, length - 1)
        low = np.floor(place).astype(int)
        share = np.expand_dims(place - low, 1 - axis)
        high = np.minimum(low + 1, length - 1)
        image = image.take(low, axis) * (1 - share) + image.take(high, axis) * share
    return np.asarray(image)


def garg(truth: Array) -> Array:
    height, width = truth.shape
    crop = np.zeros(truth.shape, bool)
    crop[int(0.40810811 * height) : int(0.99189189 * height), int(0.03594771 * width) : int(0.96405229 * width)] = True
    return crop


def least_squares(inverse: Array, g: Array, floor: float) -> Array:
    matrix = np.stack([inverse, np.ones_like(inverse)], 1)
    (scale, shift), *_ = np.linalg.lstsq(matrix, 1 / g, rcond=None)
    return np.asarray(1 / np.maximum(scale * inverse + shift, floor))


def reference(name: str, prediction: Array, truth: Array) -> tuple[Array, Array]:
    """Aligned predictions and truths of the pixels that count, of a prediction in metres."""
    height, width = truth.shape
    if name == "make3d-c1":
        rows = (np.arange(height) * prediction.shape[0] / height).astype(int)
        columns = (np.arange(width) * prediction.shape[1] / width).astype(int)
        mask = (truth > 0) & (truth < 70)
        p, g = prediction[rows][:, columns][mask], truth[mask]
        return (p * np.median(g) / np.median(p)).clip(max=70), g
    if name == "kitti-bts":
        full = np.zeros(truth.shape)
        top, left = height - 352, int((width - 1216) / 2)
        full[top : top + 352, left : left + 1216] = 1 / bilinear(1 / prediction, 352, 1216)
        full[full < 1e-3] = 1e-3
        full[full > 80] = 80
        full[np.isinf(full)] = 80
        full[np.isnan(full)] = 1e-3
        mask = (truth > 1e-3) & (truth < 80) & garg(truth)
        return full[mask], truth[mask]
    inverse = bilinear(1 / prediction, height, width)
    if name.startswith("nyu"):
        crop = np.ones(truth.shape, bool) if name == "nyu-paper" else np.zeros(truth.shape, bool)
        crop[45:471, 41:601] = True
        mask = (truth > (0 if name == "nyu-paper" else 1e-3)) & (truth < 10) & crop
        g = truth[mask]
        p = 1 / inverse[mask] if name == "nyu-eigen" else least_squares(inverse[mask], g, 1 / 10)
        return p.clip(0 if name == "nyu-paper" else 1e-3, 10), g
    if name == "kitti-paper":
        mask = (truth > 1e-3) & (truth < 80)
        return least_squares(inverse[mask], truth[mask], 1 / 80).clip(max=80), truth[mask]
    mask = truth > 0 if name == "kitti-eigen-improved" else (truth > 1e-3) & (truth < 80) & garg(truth)
    p, g = 1 / inverse[mask], truth[mask]
    if name != "kitti-eigen-metric":
        p = p * (np.median(g) / np.median(p))
    return p.clip(1e-3, 80), g


SCENES = {"kitti": ((375, 1242), 100.0), "nyu": ((480, 640), 12.0), "make3d": ((21, 305), 90.0)}
SCORED = [name for name, each in PROTOCOLS.items() if isinstance(each, Protocol)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SCORED)
def test_protocol_is_its_reference(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    size, far = SCENES[name.split("-")[0]]
    truth = (random.uniform(0.5, far, size) * (random.random(size) < 0.3)).astype(np.float32)
    prediction = random.uniform(0.5, far, (96, 160)).astype(np.float32)
    each = PROTOCOLS[name]
    assert isinstance(each, Protocol)
    box = (23, 375, 13, 1229) if each.view == "kb" else None
    found = frame_errors(torch.from_numpy(prediction), torch.from_numpy(truth), each, box=box)
    assert found is not None
    p, g = reference(name, prediction.astype(np.float64), truth.astype(np.float64))
    expected = [errors(p, g)]
    for low, high in each.ranges:
        part = (g > low) & (g <= high)
        expected.append(errors(p[part], g[part]))
    np.testing.assert_allclose(found.numpy(), [[row[key] for key in NAMES] for row in expected], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["kitti-eigen", "kitti-eigen-metric", "kitti-paper"])
def test_protocol_is_its_reference_on_real_streets(name: str, real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    random = np.random.default_rng(0)
    each = PROTOCOLS[name]
    assert isinstance(each, Protocol)
    for frame in KittiRaw("kitti", "kitti/splits/val_files.txt", depth="forward_x"):
        prediction = random.uniform(2, 60, (96, 320)).astype(np.float32)
        found = frame_errors(torch.from_numpy(prediction), torch.from_numpy(frame.depth), each)
        assert found is not None
        expected = errors(*reference(name, prediction.astype(np.float64), frame.depth.astype(np.float64)))
        np.testing.assert_allclose(found[0].numpy(), [expected[key] for key in NAMES], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["nyu-eigen", "nyu-eigen-ls", "nyu-paper"])
def test_protocol_is_its_reference_on_real_rooms(name: str, real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(real_data))
    random = np.random.default_rng(0)
    each = PROTOCOLS[name]
    assert isinstance(each, Protocol)
    for frame in NyuFolders("nyu", "nyu/nyu_test_files_with_gt.txt"):
        prediction = random.uniform(0.5, 9, (120, 160)).astype(np.float32)
        found = frame_errors(torch.from_numpy(prediction), torch.from_numpy(frame.depth), each)
        assert found is not None
        expected = errors(*reference(name, prediction.astype(np.float64), frame.depth.astype(np.float64)))
        np.testing.assert_allclose(found[0].numpy(), [expected[key] for key in NAMES], rtol=1e-6, atol=1e-7)


def test_the_names_without_torch_are_those_of_the_protocols() -> None:
    assert tuple(PROTOCOLS) == PROTOCOL_NAMES


def test_nyu_crop_is_the_published_one() -> None:
    each = PROTOCOLS["nyu-eigen"]
    assert isinstance(each, Protocol)
    rows, columns = each.mask(torch.full((480, 640), 2.0)).nonzero().T
    assert [int(x) for x in (rows.min(), rows.max(), columns.min(), columns.max())] == [45, 470, 41, 600]


def test_bts_replaces_what_is_not_finite() -> None:
    each = PROTOCOLS["kitti-bts"]
    assert isinstance(each, Protocol)
    truth = torch.full((375, 1242), 20.0)
    prediction = torch.full((352, 1216), 20.0)
    prediction[200, 300:310] = torch.nan
    prediction[200, 320:330] = torch.inf
    found = frame_errors(prediction, truth, each, box=(23, 375, 13, 1229))
    assert found is not None
    expected = errors(*reference("kitti-bts", prediction.double().numpy(), truth.double().numpy()))
    np.testing.assert_allclose(found[0].numpy(), [expected[key] for key in NAMES], rtol=1e-6)


@pytest.mark.parametrize("name", ["kitti-paper", "nyu-eigen-ls", "nyu-paper"])
def test_scale_and_shift_of_the_disparity_do_not_count(name: str) -> None:
    each = PROTOCOLS[name]
    assert isinstance(each, Protocol)
    random = np.random.default_rng(0)
    truth = torch.from_numpy(random.uniform(1, 9, (480, 640)))
    inverse = torch.from_numpy(random.uniform(0.1, 1, (480, 640)))
    one = frame_errors(inverse, truth, each, "inverse_depth")
    two = frame_errors(-3 * inverse + 7, truth, each, "inverse_depth")
    perfect = frame_errors(5 / truth - 1, truth, each, "inverse_depth")
    assert one is not None
    assert two is not None
    assert perfect is not None
    np.testing.assert_allclose(one[0].numpy(), two[0].numpy(), rtol=1e-6)
    assert float(perfect[0, 0]) < 1e-9


def test_a_prediction_that_cannot_be_aligned_is_invalid() -> None:
    each = PROTOCOLS["kitti-paper"]
    assert isinstance(each, Protocol)
    found = frame_errors(torch.full((8, 8), 5.0), torch.full((40, 80), 7.0), each)
    assert found is not None
    assert not found[0].isfinite().all()


@pytest.mark.parametrize(("pair", "wrong"), [((0, 0, 0, 9, 1), 0.0), ((0, 0, 0, 9, -1), 1.0), ((0, 4, 3, 4, 1), 1.0)])
def test_ordinal_pairs(pair: tuple[int, ...], wrong: float) -> None:
    """Depth falls from left to right; two points of one column are a tie, which is wrong."""
    each = PROTOCOLS["diw"]
    assert isinstance(each, OrdinalProtocol)
    inverse = torch.linspace(1, 2, 10).expand(4, 10).double()
    assert float(each.wrong(inverse, (4, 10), torch.tensor(pair))) == wrong
    assert float(each.wrong(inverse * torch.nan, (4, 10), torch.tensor(pair))) != wrong


def test_rounding_does_not_decide_ties() -> None:
    each = PROTOCOLS["diw"]
    assert isinstance(each, OrdinalProtocol)
    for value in np.random.default_rng(0).uniform(0.1, 9, 100):
        flat = torch.full((24, 32), float(value)).double()
        assert float(each.wrong(1 / flat, (333, 500), torch.tensor((10, 20, 300, 411, 1)))) == 1


def test_only_what_fits_is_scored() -> None:
    raw = KittiRaw("kitti", "list.txt", depth="forward_x")
    targets = KittiRaw("kitti", "list.txt", depth="camera_z")
    assert [each.name for each in fitting(["kitti-eigen", "kitti-eigen"], [raw], "depth")] == ["kitti-eigen"]
    with pytest.raises(
        ValueError, match="kitti-eigen is defined on lidar_x or rendered ground truth, but KITTI camera_z list"
    ):
        fitting(["kitti-eigen"], [targets], "depth")
    with pytest.raises(
        ValueError, match="kitti-bts is defined on annotated ground truth, but KITTI forward_x list has lidar_x"
    ):
        fitting(["kitti-bts"], [raw], "depth")
    with pytest.raises(
        ValueError, match="kitti-eigen-metric needs depth in metres, but the predictions are inverse_depth"
    ):
        fitting(["kitti-eigen-metric"], [raw], "inverse_depth")
    with pytest.raises(ValueError, match="no protocol 'kitty'; there are kitti-eigen, kitti-eigen-metric"):
        protocol("kitty")
    assert fitting(["diw"], [Diw("diw", "list.csv")], "inverse_depth") == [PROTOCOLS["diw"]]


def test_views_are_those_that_the_protocols_ask_for() -> None:
    asked = views([PROTOCOLS["kitti-bts"], PROTOCOLS["kitti-eigen-improved"], PROTOCOLS["kitti-eigen"]])
    assert asked == {"annotated": ["kb", "full"], "lidar_x": ["full"], "rendered": ["full"]}
