from __future__ import annotations

import pytest
import torch
from torch import Tensor

from losses import ContentStyle


def statistics(features: list[Tensor]) -> list[Tensor]:
    return [torch.stack([f.mean((2, 3)), f.std((2, 3), correction=0)], 1) for f in features]


def test_terms_against_their_formula() -> None:
    stylised = [torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)]
    target, wanted = torch.randn(2, 5, 4, 4), [torch.rand(2, 2, 3) * 2 + 1, torch.rand(2, 2, 5) * 3 + 1]
    terms = ContentStyle(2.0, 3.0)(stylised, target, wanted)
    spreads = [(level[:, 1] ** 2).mean() for level in wanted]
    content = ((stylised[1] - target) ** 2).mean() / spreads[1]
    style = sum(
        2 * ((ours - level) ** 2).mean() / spread
        for ours, level, spread in zip(statistics(stylised), wanted, spreads, strict=True)
    )
    torch.testing.assert_close(terms["content"], content)
    torch.testing.assert_close(terms["style"], style, rtol=1e-4, atol=0)
    torch.testing.assert_close(terms["loss"], 2 * terms["content"] + 3 * terms["style"])


def test_a_style_that_is_reached_costs_nothing() -> None:
    features = [torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)]
    assert ContentStyle()(features, features[-1], statistics(features))["loss"] < 1e-6
    flat = torch.zeros(1, 3, 4, 4, requires_grad=True)
    ContentStyle()([flat], torch.zeros(1, 3, 4, 4), [torch.zeros(1, 2, 3)])["loss"].backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_gradients_are_right() -> None:
    stylised = [torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    target, wanted = torch.randn(1, 2, 4, 5).double(), [torch.rand(1, 2, 2).double() for _ in range(2)]
    assert torch.autograd.gradcheck(lambda *x: ContentStyle()(x, target, wanted)["loss"], stylised)


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        ContentStyle(style=-1.0)
