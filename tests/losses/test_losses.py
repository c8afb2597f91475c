from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from losses import (
    BerHu,
    L1Gradient,
    MultiScaleL1,
    ScaleShiftInvariant,
    SILog,
    VirtualNormals,
    WeightedSum,
)
from losses.masked import masked_downsample, masked_mean, resize_depth

# Each learns from a truth of which pixels may be unknown.
LOSSES = [
    SILog(),
    MultiScaleL1(scales=(2, 4), weights=(0.7, 0.3)),
    WeightedSum([SILog(), MultiScaleL1()], [1.0, 0.1]),
    BerHu(),
    ScaleShiftInvariant(),
    L1Gradient(weights=(0.5,)),
    VirtualNormals(triplets=200),
]
IDS = [type(loss).__name__ for loss in LOSSES]


def batch(height: int = 12, width: int = 20, frames: int = 2, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    depth = 2 + 60 * torch.rand(frames, 1, height, width, generator=generator, dtype=torch.float64)
    valid = torch.rand(depth.shape, generator=generator) > 0.6
    k = torch.tensor([[9.0, 0, 9.5], [0, 9, 5.5], [0, 0, 1]], dtype=torch.float64).expand(frames, 3, 3)
    image = torch.rand(frames, 3, height, width, generator=generator, dtype=torch.float64)
    return {"depth": depth.where(valid, 0), "valid": valid, "intrinsics": k, "image": image}


def prediction(height: int = 6, width: int = 10, frames: int = 2, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 + 60 * torch.rand(frames, 1, height, width, generator=generator, dtype=torch.float64)


def test_silog_is_its_formula() -> None:
    truth, p = batch(), prediction(12, 20)
    expected = []
    for depth, valid, guess in zip(truth["depth"].numpy(), truth["valid"].numpy(), p.numpy(), strict=True):
        e = np.log(guess[valid]) - np.log(depth[valid])
        expected.append(np.sqrt((e**2).mean() - 0.85 * e.mean() ** 2))
    assert float(SILog()((p,), truth)["loss"]) == pytest.approx(np.mean(expected), rel=1e-12)


def test_multi_scale_l1_is_its_formula() -> None:
    truth, p = batch(16, 24), prediction(16, 24)
    terms = MultiScaleL1(scales=(4, 8), weights=(0.5, 0.25))((p,), truth)
    for scale in (4, 8):
        frames = []
        for depth, valid, guess in zip(truth["depth"].numpy(), truth["valid"].numpy(), p.numpy(), strict=True):
            blocks = []
            for top in range(0, 16, scale):
                for left in range(0, 24, scale):
                    window = (0, slice(top, top + scale), slice(left, left + scale))
                    if valid[window].any():
                        known = valid[window]
                        blocks.append(abs(guess[window][known].mean() - depth[window][known].mean()))
            frames.append(np.mean(blocks))
        assert float(terms[f"l1_{scale}"]) == pytest.approx(np.mean(frames), rel=1e-12)
    assert float(terms["loss"]) == pytest.approx(0.5 * float(terms["l1_4"]) + 0.25 * float(terms["l1_8"]))


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not isinstance(loss, BerHu)])  # see its own test
def test_gradient_is_right(loss: nn.Module) -> None:
    truth = batch()
    p = prediction().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss((x,), truth)["loss"], (p,))


@pytest.mark.parametrize("loss", LOSSES, ids=IDS)
@pytest.mark.parametrize("size", [(12, 20), (37, 61)])
def test_unknown_pixels_change_nothing(loss: nn.Module, size: tuple[int, int]) -> None:
    truth = batch(*size)
    for junk in (0.0, 1e6, float("nan"), float("inf")):
        filled = truth | {"depth": truth["depth"].where(truth["valid"], junk)}
        p = prediction().requires_grad_()
        value = loss((p,), filled)["loss"]
        assert value.item() == pytest.approx(loss((p,), truth)["loss"].item(), rel=1e-12)
        value.backward()
        assert p.grad is not None
        assert p.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES, ids=IDS)
def test_empty_frame_adds_nothing(loss: nn.Module) -> None:
    truth = batch()
    half = {key: value.clone() for key, value in truth.items()}
    half["valid"][1] = False
    first = {key: value[:1] for key, value in truth.items()}
    p = prediction().requires_grad_()
    value = loss((p,), half)["loss"]
    assert value.item() == pytest.approx(loss((p[:1],), first)["loss"].item() / 2)
    value.backward()
    assert p.grad is not None
    assert p.grad.isfinite().all()
    assert not p.grad[1].any()


@pytest.mark.parametrize("loss", LOSSES, ids=IDS)
def test_perfect_prediction_costs_nothing(loss: nn.Module) -> None:
    truth = batch()
    p = truth["depth"].where(truth["valid"], 7.0).requires_grad_()
    value = loss((p,), truth)["loss"]
    assert value.item() == pytest.approx(0, abs=1e-6)
    value.backward()
    assert p.grad is not None
    assert p.grad.isfinite().all()


def test_berhu_is_its_formula_and_its_threshold_a_constant() -> None:
    truth, p = batch(), prediction(12, 20).requires_grad_()
    errors = [g[v] - d[v] for d, v, g in zip(truth["depth"], truth["valid"], p, strict=True)]
    c = 0.2 * float(torch.cat(errors).detach().abs().max())
    expected = torch.stack([torch.where(e.abs() <= c, e.abs(), (e**2 + c**2) / (2 * c)).mean() for e in errors]).mean()
    value = BerHu()((p,), truth)["berhu"]
    torch.testing.assert_close(value, expected)
    (own,), (reference,) = torch.autograd.grad(value, p), torch.autograd.grad(expected, p)
    torch.testing.assert_close(own, reference)


def plane(normal: tuple[float, float, float], size: tuple[int, int] = (48, 64)) -> dict[str, Tensor]:
    """Depth of the plane n . X = 1."""
    k = torch.tensor([[[40.0, 0, 31.5], [0, 40, 23.5], [0, 0, 1]]], dtype=torch.float64)
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    rays = torch.stack([(columns - 31.5) / 40, (rows - 23.5) / 40, torch.ones(size, dtype=torch.float64)], dim=-1)
    depth = 1 / (rays @ torch.tensor(normal, dtype=torch.float64))
    return {"depth": depth[None, None], "valid": torch.ones(1, 1, *size, dtype=torch.bool), "intrinsics": k}


def test_virtual_normals_compare_the_normals_of_planes() -> None:
    truth, other = plane((0.02, 0.05, 0.2)), plane((0.06, -0.03, 0.2))
    units = [torch.tensor(n) / torch.tensor(n).norm() for n in ((0.02, 0.05, 0.2), (0.06, -0.03, 0.2))]
    value = VirtualNormals(triplets=500)((other["depth"],), truth)["virtual_normals"]
    assert float(value) == pytest.approx(float((units[0] - units[1]).abs().sum()), rel=1e-5)
    assert float(VirtualNormals()((truth["depth"] * 3,), truth)["loss"]) == pytest.approx(0, abs=1e-9)
    far_apart = VirtualNormals(min_distance=1e3)((other["depth"],), truth)["loss"]
    assert float(far_apart) == 0


def test_virtual_normals_are_drawn_by_the_samples_keys() -> None:
    truth, p, loss = batch(), prediction(), VirtualNormals(triplets=50)
    one, again, other = (
        float(loss((p,), truth | {"key": torch.tensor(keys)})["loss"]) for keys in ([2**62, 5], [2**62, 5], [3, 4])
    )
    assert one == again != other


def test_heads_are_supervised_one_scale_each() -> None:
    truth = batch(16, 24)
    heads = tuple(prediction(16 // s, 24 // s, seed=s).requires_grad_() for s in (1, 2))
    loss = MultiScaleL1(scales=(2, 4), weights=(0.5, 0.5), supervise="heads")
    loss(heads, truth)["loss"].backward()
    assert all(head.grad is not None and head.grad.any() for head in heads)
    with pytest.raises(ValueError, match="2 scales need as many heads, but the network has 1"):
        loss(heads[:1], truth)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scales": (4, 8), "weights": (1.0,)}, r"2 scales \[4, 8\] but 1 weights \[1.0\]"),
        ({"scales": (0, 8), "weights": (1.0, 1.0)}, "must be 1 or more"),
        ({"scales": (4, 8), "weights": (0.0, 0.0)}, "do not train the exported head"),
        ({"scales": (4, 8), "weights": (0.0, 1.0), "supervise": "heads"}, "do not train the exported head"),
    ],
)
def test_wrong_scales_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiScaleL1(**arguments)


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="1 losses but 2 weights"):
        WeightedSum([SILog()], [1.0, 2.0])
    with pytest.raises(ValueError, match="variance_focus 2"):
        SILog(2)
    with pytest.raises(ValueError, match="share 0 of BerHu"):
        BerHu(0)
    with pytest.raises(ValueError, match="trim 1 must be in"):
        ScaleShiftInvariant(trim=1)
    with pytest.raises(ValueError, match=r"weights \[\] must have one weight of 0 or more for each head"):
        L1Gradient([])
    with pytest.raises(ValueError, match="triplets 0 must be at least 1"):
        VirtualNormals(triplets=0)


def test_terms_keep_their_names() -> None:
    assert set(LOSSES[2]((prediction(),), batch())) == {"silog", "l1_4", "l1_8", "l1_16", "l1_32", "loss"}


def test_masked_downsample_at_the_edge() -> None:
    values = torch.arange(15.0).reshape(1, 1, 3, 5)
    average, mask = masked_downsample(values, torch.ones_like(values, dtype=torch.bool), 2)
    assert average[0, 0].tolist() == [[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]
    assert mask.all()
    assert float(masked_mean(values, values < 0)) == 0


def test_resize_keeps_a_plane_in_inverse_depth() -> None:
    inverse = torch.linspace(0.1, 0.2, 10).view(1, 1, 1, 10).expand(1, 1, 4, 10)
    resized = resize_depth(1 / inverse, (8, 20))
    expected = (torch.arange(20) + 0.5) / 2 - 0.5
    torch.testing.assert_close((1 / resized)[0, 0, 4, 1:-1], (0.1 + expected * 0.1 / 9)[1:-1])
