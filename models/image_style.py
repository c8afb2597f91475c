"""Style transfer on pixels, without weights or training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.adain import channel_statistics, renormalise
from models.contract import StyleNetwork

LEVELS = 256


class ImageAdaIN(StyleNetwork):
    """Match the mean and standard deviation of each colour channel to a style image.

    It is AdaIN (arXiv 1703.06868) without encoder and decoder.
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
    """Match the histogram of each colour channel to a style image."""

    def statistics(self, style: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> 256 evenly spaced quantiles of each channel, (N, 3, 256)."""
        ordered = style.flatten(2).sort(dim=-1).values  # (N, 3, HW)
        places = (torch.arange(LEVELS, device=style.device) + 0.5) / LEVELS * ordered.shape[-1]
        return ordered[..., places.long()]

    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch, see :class:`models.StyleNetwork`."""
        index = (content * (LEVELS - 1)).round().long().flatten(2)  # (N, 3, HW), in 0 to 255
        # From here to `mapped`: one value per level, (N, 3, 256).
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
    """Replace the amplitudes of the lowest frequencies by those of a style image (arXiv 2004.05498).

    The phases are kept.

    Args:
        frequencies: number of lowest frequencies along each axis, in addition to the mean. The paper's beta is this
            number divided by the shorter side of the image; it recommends 0.01 to 0.09.

    Raises:
        ValueError: ``frequencies`` is below 1.
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
        """Lowest frequencies of a spectrum; rows are ordered from -frequencies to frequencies."""
        rows = spectrum.roll(self.frequencies, dims=-2)[..., : 2 * self.frequencies + 1, :]
        return rows[..., : self.frequencies + 1]

    def _padding(self, spectrum: Tensor) -> tuple[int, ...]:
        """Padding of real and imaginary parts, (..., 2), from the lowest frequencies to the size of the spectrum."""
        rows, columns = spectrum.shape[-2:]
        return 0, 0, 0, columns - self.frequencies - 1, 0, rows - 2 * self.frequencies - 1
