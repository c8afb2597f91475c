"""Decoders: feature maps -> one-channel logits at several scales, finest first.

A decoder is constructed from the encoder's feature maps, the stride of the finest prediction and the number of its
finest levels that have a prediction head. ``widths`` is None by default because a YAML that replaces the decoder
inherits arguments of the same name from earlier YAMLs, and would inherit the widths of another decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from torch import Tensor, nn
from torch.nn import functional as F

from models.contract import Decoder
from models.encoder import FeatureInfo
from models.levels import Join, Skips, conv_bn_relu, decoder_levels, run_levels


class LightDecoder(Decoder):
    """Depthwise decoder for phones. Its levels follow FastDepth (arXiv 1903.03273).

    A level is a 1x1 convolution, upsampling, a skip connection, a depthwise convolution and a 1x1 convolution.

    Args:
        features: the encoder's feature maps, finest first.
        output_stride: stride of the finest prediction, a power of two.
        heads: number of levels that predict, counted from the finest.
        widths: channels per level, deepest first, 128-64-48-32-24 by default. Extra widths are ignored.
        skips: merging of encoder feature maps: ``add`` (after a 1x1 convolution) or ``concat``.
        finest_skip: stride of the finest encoder feature map to merge. Finer ones contain textures, in which rendered
            and real images differ most.
        upsampling: ``nearest`` (fast on every runtime) or ``bilinear``.
        kernel: kernel size of the depthwise convolutions.
    """

    def __init__(
        self,
        features: Sequence[FeatureInfo],
        output_stride: int,
        heads: int,
        widths: Sequence[int] | None = None,
        skips: Skips = "add",
        finest_skip: int = 1,
        upsampling: Literal["nearest", "bilinear"] = "nearest",
        kernel: int = 5,
    ) -> None:
        super().__init__()
        levels = decoder_levels(features, output_stride, widths or (128, 64, 48, 32, 24), heads, finest_skip)
        self.levels = nn.ModuleList()
        channels = features[-1].channels
        for width, skip in levels:
            self.levels.append(_LightLevel(channels, skip, width, skips, upsampling, kernel))
            channels = width
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 3, padding=1) for width, _ in levels[len(levels) - heads :])
        self.strides = [feature.stride for feature in features]

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, finest first -> logits (B, 1, h, w), finest first."""
        outputs = run_levels(features, self.strides, self.levels)
        return [head(x) for head, x in zip(reversed(self.heads), reversed(outputs), strict=False)]


class UpConvDecoder(Decoder):
    """Decoder of 3x3 transposed convolutions of stride 2, 64-32-16-1 by default.

    BatchNorm and ReLU follow all but the last. A ReLU before the sigmoid would exclude large depths.

    Args:
        features: the encoder's feature maps, finest first.
        output_stride: stride of the finest prediction, a power of two.
        heads: number of levels that predict, counted from the finest.
        widths: channels of all levels except the last, deepest first; 64-32-16 by default.
        skips: merging of encoder feature maps: ``add`` (after a 1x1 convolution) or ``concat``.
    """

    def __init__(
        self,
        features: Sequence[FeatureInfo],
        output_stride: int,
        heads: int,
        widths: Sequence[int] | None = None,
        skips: Skips = "add",
    ) -> None:
        super().__init__()
        levels = decoder_levels(features, output_stride, [*(widths or (64, 32, 16)), 1], heads)[:-1]
        self.levels = nn.ModuleList()
        channels = features[-1].channels
        for width, skip in levels:
            self.levels.append(_UpConvLevel(channels, skip, width, skips))
            channels = width
        coarse = levels[len(levels) - heads + 1 :]
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 3, padding=1) for width, _ in coarse)
        self.heads.append(_up_convolution(channels, 1))
        self.strides = [feature.stride for feature in features]

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, finest first -> logits (B, 1, h, w), finest first."""
        outputs = run_levels(features, self.strides, self.levels)
        finest, *coarser = reversed(self.heads)  # the finest head doubles the size, the others keep it
        return [finest(outputs[-1]), *[head(x) for head, x in zip(coarser, reversed(outputs), strict=False)]]


class NNConv5Decoder(Decoder):
    """NNConv5dw, the decoder of FastDepth (arXiv 1903.03273).

    A level is a 5x5 depthwise and a 1x1 convolution and nearest upsampling. Skip connections are added at strides 8, 4
    and 2. The published network uses the encoder ``mobilenetv1_100`` and ``output_stride`` 1.

    Args:
        features: the encoder's feature maps, finest first.
        output_stride: stride of the finest prediction, a power of two.
        heads: number of levels that predict, counted from the finest.
        widths: channels per level, deepest first, 512-256-128-64-32 by default. A 1x1 convolution adapts other skips.
    """

    def __init__(
        self,
        features: Sequence[FeatureInfo],
        output_stride: int,
        heads: int,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        levels = decoder_levels(
            [each for each in features if each.stride != 16], output_stride, widths or (512, 256, 128, 64, 32), heads
        )
        self.levels = nn.ModuleList()
        channels = features[-1].channels
        for width, skip in levels:
            self.levels.append(_NNConv5Level(channels, skip, width))
            channels = width
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for width, _ in levels[len(levels) - heads :])
        self.strides = [feature.stride for feature in features]

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, finest first -> logits (B, 1, h, w), finest first."""
        outputs = run_levels(features, self.strides, self.levels)
        return [head(x) for head, x in zip(reversed(self.heads), reversed(outputs), strict=False)]


class SubpixelDecoder(Decoder):
    """Dense 3x3 convolutions down to a coarse stride, then sub-pixel upsampling (ESPCN, arXiv 1609.05158).

    In int8, dense convolutions have several times the throughput of depthwise ones. The finest levels of other decoders
    are the most expensive and contribute least.

    Args:
        features: the encoder's feature maps, finest first.
        output_stride: stride of the finest prediction, a power of two.
        heads: number of levels that predict, counted from the finest.
        widths: channels per level, deepest first, 96-64-48-32-24 by default. Extra widths are ignored.
        stride: stride of the finest level, before sub-pixel upsampling.
        finest_skip: stride of the finest encoder feature map to merge. Finer ones contain textures, in which rendered
            and real images differ most.
    """

    def __init__(
        self,
        features: Sequence[FeatureInfo],
        output_stride: int,
        heads: int,
        widths: Sequence[int] | None = None,
        stride: int = 16,
        finest_skip: int = 1,
    ) -> None:
        super().__init__()
        if stride % output_stride:
            raise ValueError(
                f"output_stride {output_stride} does not divide {stride}, the stride of SubpixelDecoder's finest level"
            )
        levels = decoder_levels(features, stride, widths or (96, 64, 48, 32, 24), heads, finest_skip)
        self.levels = nn.ModuleList()
        channels = features[-1].channels
        for width, skip in levels:
            self.levels.append(_DenseLevel(channels, skip, width))
            channels = width
        self.factor = stride // output_stride
        self.heads = nn.ModuleList(
            nn.Conv2d(width, self.factor**2, 3, padding=1) for width, _ in levels[len(levels) - heads :]
        )
        self.strides = [feature.stride for feature in features]

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, finest first -> logits (B, 1, h, w), finest first."""
        outputs = run_levels(features, self.strides, self.levels)
        logits = [head(x) for head, x in zip(reversed(self.heads), reversed(outputs), strict=False)]
        return [F.pixel_shuffle(each, self.factor) for each in logits] if self.factor > 1 else logits  # (B, 1, fh, fw)


class _LightLevel(nn.Module):
    def __init__(self, channels: int, skip: int, width: int, skips: Skips, upsampling: str, kernel: int) -> None:
        super().__init__()
        self.upsampling = upsampling
        self.reduce = conv_bn_relu(channels, width, 1)
        self.join = Join(width, skip, skips)
        self.smooth = nn.Sequential(
            conv_bn_relu(self.join.channels, self.join.channels, kernel, groups=self.join.channels),
            conv_bn_relu(self.join.channels, width, 1),
        )

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        align = None if self.upsampling == "nearest" else False
        # (B, channels, h, w) -> (B, width, h, w) -> (B, width, 2h, 2w)
        x = F.interpolate(self.reduce(x), scale_factor=2.0, mode=self.upsampling, align_corners=align)
        return cast(Tensor, self.smooth(self.join(x, skip)))


class _NNConv5Level(nn.Module):
    def __init__(self, channels: int, skip: int, width: int) -> None:
        super().__init__()
        self.convolve = nn.Sequential(
            conv_bn_relu(channels, channels, 5, groups=channels), conv_bn_relu(channels, width, 1)
        )
        self.joins = skip > 0
        self.project = nn.Conv2d(skip, width, 1) if skip not in (0, width) else nn.Identity()

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(self.convolve(x), scale_factor=2.0, mode="nearest")  # (B, width, 2h, 2w)
        return x + self.project(skip) if self.joins and skip is not None else x


class _UpConvLevel(nn.Module):
    def __init__(self, channels: int, skip: int, width: int, skips: Skips) -> None:
        super().__init__()
        self.up = nn.Sequential(_up_convolution(channels, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.join = Join(width, skip, skips)
        # Project a concatenation back to the level's width, so that widths are comparable between `add` and `concat`.
        same = self.join.channels == width
        self.merge = nn.Identity() if same else conv_bn_relu(self.join.channels, width, 1)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        return cast(Tensor, self.merge(self.join(self.up(x), skip)))  # (B, width, 2h, 2w)


class _DenseLevel(nn.Module):
    def __init__(self, channels: int, skip: int, width: int) -> None:
        super().__init__()
        self.reduce = conv_bn_relu(channels, width, 1)
        self.join = Join(width, skip, "add")
        self.smooth = conv_bn_relu(width, width, 3)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")  # (B, width, 2h, 2w)
        return cast(Tensor, self.smooth(self.join(x, skip)))


def _up_convolution(channels: int, width: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, width, 3, stride=2, padding=1, output_padding=1)
