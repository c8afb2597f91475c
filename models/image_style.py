"""Style transfer on the image itself: no weights, no training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.adain import channel_statistics, renormalise
from models.contract import StyleNetwork

LEVELS = 256


class ImageAdaIN(StyleNetwork):
    """Gives each channel of an image the mean and the standard deviation of a style image.

    The normalisation of arXiv 1703.06868 with the identity as encoder and decoder.
    """

    def statistics(self, style: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> mean and standard deviation, (N, 2, 3)."""
        return channel_statistics(style)

    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch, see :class:`models.StyleNetwork`."""
        return renormalise(content, statistics, strength).clamp(0, 1)

    def fingerprint(self) -> str:
        return "ImageAdaIN"


class HistogramMatching(StyleNetwork):
    """Gives each channel of an image the histogram of a style image."""

    def statistics(self, style: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> the values at 256 evenly spaced quantiles, (N, 3, 256)."""
        ordered = style.flatten(2).sort(dim=-1).values  # (N, 3, HW)
        places = (torch.arange(LEVELS, device=style.device) + 0.5) / LEVELS * ordered.shape[-1]
        return ordered[..., places.long()]

    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch, see :class:`models.StyleNetwork`."""
        index = (content * (LEVELS - 1)).round().long().flatten(2)  # (N, 3, HW), in 0 to 255
        # From here to `mapped` one value for each of the 256 levels, (N, 3, 256).
        counts = torch.zeros_like(statistics).scatter_add_(2, index, torch.ones_like(index, dtype=content.dtype))
        quantile = (counts.cumsum(-1) - counts / 2) / index.shape[-1] * LEVELS - 0.5
        low = quantile.floor().clamp(0, LEVELS - 2)
        share = (quantile - low).clamp(0, 1)
        below = statistics.gather(2, low.long())
        mapped = below + share * (statistics.gather(2, low.long() + 1) - below)
        stylised = mapped.gather(2, index).view_as(content)  # (N, 3, HW) -> (N, 3, H, W)
        return torch.lerp(content, stylised, strength.view(-1, 1, 1, 1))

    def fingerprint(self) -> str:
        return "HistogramMatching"


class FourierAdaptation(StyleNetwork):
    """Gives an image the amplitudes of a style image's lowest frequencies; the phases stay (arXiv 2004.05498).

    Args:
        frequencies: how many of them along each side, the mean apart; the paper's beta is this number divided by the
            shorter side, and it recommends 0.01 to 0.09.

    Raises:
        ValueError: less than one.
    """

    def __init__(self, frequencies: int = 4) -> None:
        super().__init__()
        if frequencies < 1:
            raise ValueError(f"frequencies {frequencies} must be positive")
        self.frequencies = frequencies

    def statistics(self, style: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> amplitudes, (N, 3, 2 frequencies + 1, frequencies + 1)."""
        return self._low(torch.fft.rfft2(style, norm="forward")).abs()

    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch, see :class:`models.StyleNetwork`."""
        spectrum = torch.fft.rfft2(content, norm="forward")  # complex, (N, 3, H, W/2 + 1)
        low = self._low(spectrum)  # (N, 3, 2 frequencies + 1, frequencies + 1)
        amplitude = torch.lerp(low.abs(), statistics, strength.view(-1, 1, 1, 1))
        difference = torch.polar(amplitude, low.angle()) - low
        padded = F.pad(torch.view_as_real(difference), self._padding(spectrum))  # (N, 3, H, W/2 + 1, 2)
        change = torch.view_as_complex(padded).roll(-self.frequencies, dims=-2)
        stylised: Tensor = torch.fft.irfft2(spectrum + change, content.shape[-2:], norm="forward")
        return stylised.clamp(0, 1)

    def fingerprint(self) -> str:
        return f"FourierAdaptation of {self.frequencies} frequencies"

    def _low(self, spectrum: Tensor) -> Tensor:
        """The lowest frequencies of a spectrum, rows from -frequencies to frequencies."""
        rows = spectrum.roll(self.frequencies, dims=-2)[..., : 2 * self.frequencies + 1, :]
        return rows[..., : self.frequencies + 1]

    def _padding(self, spectrum: Tensor) -> tuple[int, ...]:
        """Zeros behind the lowest frequencies, of real and imaginary parts, up to the spectrum's size."""
        rows, columns = spectrum.shape[-2:]
        return 0, 0, 0, columns - self.frequencies - 1, 0, rows - 2 * self.frequencies - 1
