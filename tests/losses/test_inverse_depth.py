"""Losses of inverse depth, and those that need no depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from losses import (
    BerHu,
    EdgeAwareSmoothness,
    L1Gradient,
    MultiScaleL1,
    OrdinalRanking,
    ScaleShiftInvariant,
    SILog,
    VirtualNormals,
)
from tests.losses.test_losses import batch, prediction


def test_scale_shift_invariant_is_its_formula() -> None:
    truth, p = batch(16, 24), prediction(16, 24)
    terms = ScaleShiftInvariant(trim=0.2, gradient=0.5, scales=2)((p,), truth)
    ssi, gradient = [], []
    for depth, valid, guess in zip(truth["depth"][:, 0], truth["valid"][:, 0], p[:, 0], strict=True):
        aligned = []
        for inverse in (1 / guess, 1 / depth):
            known = inverse[valid].numpy()
            median = np.sort(known)[(len(known) - 1) // 2]
            aligned.append((inverse.numpy() - median) / np.abs(known - median).mean())
        error = aligned[0] - aligned[1]
        known = np.sort(np.abs(error[valid.numpy()]))
        ssi.append(known[: int(np.ceil(0.8 * len(known)))].sum() / 2 / len(known))
        scales = [np.where(valid, error, np.nan)[::k, ::k] for k in (1, 2)]
        gradient.append(np.sum([np.nanmean(np.abs(np.diff(e, axis=axis))) for e in scales for axis in (0, 1)]))
    assert float(terms["ssi"]) == pytest.approx(np.mean(ssi))
    assert float(terms["gradient"]) == pytest.approx(np.mean(gradient))
    assert float(terms["loss"]) == pytest.approx(np.mean(ssi) + 0.5 * np.mean(gradient))


def test_scale_and_shift_of_either_side_cost_nothing() -> None:
    """Of a teacher's inverse depth and of a student's that gives inverse depth."""
    inv_depth = 0.01 + 0.99 * torch.rand(2, 1, 12, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    taught = batch() | {"inv_depth": inv_depth, "predicts": "inverse_depth"}
    loss = ScaleShiftInvariant()
    assert float(loss((-3 + 7 * inv_depth,), taught)["loss"]) == pytest.approx(0, abs=1e-9)
    student = prediction()
    scaled = loss((2 - student,), taught | {"inv_depth": 0.5 * inv_depth})["loss"]
    assert float(loss((5 - 3 * student,), taught)["loss"]) == pytest.approx(float(scaled))


def test_a_teachers_word_goes_before_the_depth() -> None:
    truth = batch()
    taught = truth | {"inv_depth": torch.where(truth["valid"], 0.0, 0.5).double()}
    for loss in (ScaleShiftInvariant(), L1Gradient(weights=(0.5,))):
        p = prediction(12, 20).requires_grad_()
        loss((p,), taught)["loss"].backward()
        assert p.grad is not None
        assert p.grad[~truth["valid"]].any()
        assert not p.grad[truth["valid"]].any()


@pytest.mark.parametrize("loss", [SILog(), MultiScaleL1(), BerHu(), VirtualNormals()])
def test_metric_losses_refuse_a_network_without_metres(loss: nn.Module) -> None:
    with pytest.raises(ValueError, match="this loss needs depth in metres, but the network predicts inverse depth"):
        loss((prediction(),), batch() | {"predicts": "inverse_depth"})


def test_l1_gradient_is_its_formula() -> None:
    truth = {"depth": batch(8, 12)["depth"].clamp_min(1), "valid": torch.ones(2, 1, 8, 12, dtype=torch.bool)}
    heads = tuple(prediction(8 // s, 12 // s, seed=s) for s in (1, 2, 4))
    terms = L1Gradient()(heads, truth)
    expected = 0.0
    for head, weight in zip(heads, (0.5, 0.25, 0.125), strict=True):
        full = nn.functional.interpolate(1 / head, (8, 12), mode="bilinear", align_corners=False)
        e = (full - 1 / truth["depth"]).numpy()[:, 0]
        expected += np.abs(e).mean()
        expected += weight * (np.abs(np.diff(e, axis=1)).mean() + np.abs(np.diff(e, axis=2)).mean())
    assert float(terms["loss"]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="3 weights need as many heads, but the network has 2: set heads"):
        L1Gradient()(heads[:2], truth)


def test_smoothness_is_its_formula_and_needs_no_truth() -> None:
    p = prediction(6, 10).requires_grad_()
    image = torch.rand(2, 3, 12, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    inverse = (1 / p.detach()).numpy()[:, 0]
    inverse = inverse / inverse.mean((1, 2), keepdims=True)
    small = image.numpy().reshape(2, 3, 6, 2, 10, 2).mean((3, 5))
    expected = sum(
        (np.abs(np.diff(inverse, axis=axis)) * np.exp(-np.abs(np.diff(small, axis=axis + 1)).mean(1))).mean()
        for axis in (1, 2)
    )
    loss = EdgeAwareSmoothness()
    assert float(loss((p.detach(),), {"image": image})["smoothness"]) == pytest.approx(expected)
    assert float(loss((torch.full_like(p, 7.0),), {"image": image})["loss"]) == 0
    assert torch.autograd.gradcheck(lambda x: loss((x,), {"image": image})["loss"], (p,))


def test_ordinal_ranking_is_its_formula() -> None:
    image = torch.zeros(3, 3, 12, 20)
    pair = torch.tensor([[2, 3, 9, 17, 1], [0, 0, 11, 19, -1], [0, 0, 0, 0, 0]])
    p = prediction(12, 20, frames=3).requires_grad_()
    ratios = [p[0, 0, 2, 3] / p[0, 0, 9, 17], p[1, 0, 11, 19] / p[1, 0, 0, 0]]
    expected = sum(float((1 + 1 / ratio).log()) for ratio in ratios) / 3
    truth = {"image": image, "pair": pair}
    loss = OrdinalRanking()
    assert float(loss((p,), truth)["ordinal"]) == pytest.approx(expected)
    relative = loss((1 / p,), truth | {"predicts": "inverse_depth"})["ordinal"]
    gaps = [1 / p[0, 0, 9, 17] - 1 / p[0, 0, 2, 3], 1 / p[1, 0, 0, 0] - 1 / p[1, 0, 11, 19]]
    assert float(relative) == pytest.approx(sum(float((1 + (-gap).exp()).log()) for gap in gaps) / 3)
    coarse = prediction(6, 10, frames=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss((x,), truth)["loss"], (coarse,))
