"""Networks: image -> depth. Pure torch, no Lightning; ``forward`` exports as it is.

The contract of a network:

- ``forward(image)``: RGB in [0, 1], (B, 3, H, W) -> (B, 1, h, w), with no Python that depends on a shape.
- ``multiscale(image)``: the same at every supervised scale, finest first; its first entry is ``forward``'s.
- ``predicts``: ``"depth"`` (metres) or ``"inv_depth"`` (inverse depth up to scale and shift).
- ``check_size((height, width))``: raises where a stride does not divide the size.
- ``load_pretrained()``: once before training starts, never when a checkpoint is opened.
"""

from models.adain import ImageAdaIN
from models.decoder import LightDecoder, UpConvDecoder
from models.depth_net import DepthNet
from models.encoder import Encoder

__all__ = ["DepthNet", "Encoder", "ImageAdaIN", "LightDecoder", "UpConvDecoder"]
