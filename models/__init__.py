"""Networks: image -> depth. Pure torch, no Lightning; ``forward`` exports as it is.

The contract of a network:

- ``forward(image)``: RGB in [0, 1], (B, 3, H, W) -> (B, 1, h, w), with no Python that depends on a shape.
- ``multiscale(image)``: the same at every supervised scale, finest first; its first entry is ``forward``'s.
- ``predicts``: ``"depth"`` (metres) or ``"inverse_depth"`` (up to scale and shift).
- ``check_size((height, width))``: raises where a stride does not divide the size.
- ``load_pretrained()``: once before training starts, never when a checkpoint is opened.
- ``trained``: True where its weights come with it, so that it is tested without a checkpoint; others need not say so.
- ``canonical_focal_px``: where the network itself knows for which camera its depth is; others need not.

The contract of a style network, which gives an image the look of another:

- ``statistics(style)``: RGB in [0, 1], (N, 3, H, W) -> (N, ...), all that is kept of a style image.
- ``forward(content, statistics, strength)``: RGB in [0, 1], (N, 3, H, W); the statistics of a style each; (N,) from 0,
  the content as it is, to 1, the style whole -> RGB in [0, 1], (N, 3, H, W), pixel upon pixel.
- ``fingerprint()``: a line that changes with anything that statistics depend on; raises ValueError before training.
"""

from models.adain import AdaIN
from models.decoder import LightDecoder, NNConv5Decoder, SubpixelDecoder, UpConvDecoder
from models.depth_net import DepthNet
from models.encoder import Encoder
from models.image_style import FourierAdaptation, HistogramMatching, ImageAdaIN
from models.pruned import with_pruned_channels
from models.pydnet import PyDNet

__all__ = [
    "AdaIN",
    "DepthNet",
    "Encoder",
    "FourierAdaptation",
    "HistogramMatching",
    "ImageAdaIN",
    "LightDecoder",
    "NNConv5Decoder",
    "PyDNet",
    "SubpixelDecoder",
    "UpConvDecoder",
    "with_pruned_channels",
]
