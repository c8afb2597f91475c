from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import AdaIN, FourierAdaptation, HistogramMatching, ImageAdaIN, StyleNetwork


def images(seed: int, size: tuple[int, int] = (64, 96), number: int = 2) -> Tensor:
    """Smooth pictures of 256 levels, each of its own colours."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(number, 3, 6, 8, generator=random) * torch.rand(number, 3, 1, 1, generator=random)
    return (nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1) * 255).round() / 255


def adain(*arguments: Any, **options: Any) -> AdaIN:
    """One that passes for trained, of random weights."""
    network = AdaIN(*arguments, **{"weights": "none", **options})
    network.trained = True
    return network


def stylise(network: StyleNetwork, content: Tensor, style: Tensor, strength: float) -> Tensor:
    result: Tensor = network(content, network.statistics(style), torch.full((len(content),), strength))
    return result


@pytest.mark.parametrize("network", [ImageAdaIN(), HistogramMatching(), FourierAdaptation()])
def test_no_strength_changes_nothing_and_its_own_style_little(network: StyleNetwork) -> None:
    content = images(0, (75, 93))
    torch.testing.assert_close(stylise(network, content, images(1), 0.0), content, atol=1e-5, rtol=0)
    torch.testing.assert_close(stylise(network, content, content, 1.0), content, atol=0.02, rtol=0)
    half, whole = (stylise(network, content, images(1), strength) for strength in (0.5, 1.0))
    assert (whole - content).abs().mean() > (half - content).abs().mean() > 0.01


def test_image_adain_takes_mean_and_deviation() -> None:
    content, style = images(0) * 0.2 + 0.4, images(1, (40, 50)) * 0.2 + 0.4
    result = stylise(ImageAdaIN(), content, style, 1.0)
    torch.testing.assert_close(result.mean((2, 3)), style.mean((2, 3)), atol=1e-3, rtol=0)
    torch.testing.assert_close(result.std((2, 3)), style.std((2, 3)), atol=2e-3, rtol=0)
    assert stylise(ImageAdaIN(), torch.full((2, 3, 4, 4), 0.3), style, 1.0).isfinite().all()


def test_histogram_matching_agrees_with_sorted_values() -> None:
    content, style = images(0), images(1, (40, 50))
    result = stylise(HistogramMatching(), content, style, 1.0)
    for ours, source, theirs in zip(result.flatten(0, 1), content.flatten(0, 1), style.flatten(0, 1), strict=True):
        levels, inverse, counts = np.unique(source.numpy(), return_inverse=True, return_counts=True)
        middle = (counts.cumsum() - counts / 2) / counts.sum()
        quantiles = (np.arange(theirs.numel()) + 0.5) / theirs.numel()
        expected = np.interp(middle, quantiles, np.sort(theirs.numpy().ravel()))[inverse].reshape(source.shape)
        np.testing.assert_allclose(ours.numpy(), expected, atol=0.02)
        assert len(levels) > 50


@pytest.mark.parametrize("size", [(64, 96), (75, 93)])
def test_fourier_adaptation_agrees_with_numpy(size: tuple[int, int]) -> None:
    content, style = images(0, size)[:1] * 0.3 + 0.3, images(1, size)[:1] * 0.3 + 0.3
    network = FourierAdaptation(frequencies=2)
    result = stylise(network, content, style, 1.0)[0, 0].numpy()
    ours, theirs = (np.fft.fftshift(np.fft.fft2(image[0, 0].numpy())) for image in (content, style))
    row, column = size[0] // 2, size[1] // 2
    window = np.s_[row - 2 : row + 3, column - 2 : column + 3]
    ours[window] = np.abs(theirs[window]) * np.exp(1j * np.angle(ours[window]))
    expected = np.fft.ifft2(np.fft.ifftshift(ours)).real.clip(0, 1)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_frequencies_must_be_positive() -> None:
    with pytest.raises(ValueError, match="frequencies 0 must be positive"):
        FourierAdaptation(0)


def test_statistics_of_a_style_hardly_depend_on_its_size() -> None:
    style = images(1, (128, 192))
    small = nn.functional.interpolate(style, (64, 96), mode="area")
    for network in (ImageAdaIN(), HistogramMatching(), FourierAdaptation()):
        one, two = network.statistics(style), network.statistics(small)
        assert (one - two).abs().mean() < 0.02 * one.abs().max()


def test_fingerprints_tell_networks_apart() -> None:
    networks = (
        *(ImageAdaIN(), HistogramMatching(), FourierAdaptation(), FourierAdaptation(2)),
        *(adain(), adain(), adain(stride=8)),
    )
    assert len({network.fingerprint() for network in networks}) == len(networks)
