"""Networks: image -> depth. Pure torch, no Lightning; ``forward`` is exported unchanged.

:mod:`models.contract` defines the interfaces of networks, decoders and style networks.
"""

from models.adain import AdaIN
from models.contract import Decoder, DepthNetwork, StyleNetwork
from models.decoder import LightDecoder, NNConv5Decoder, SubpixelDecoder, UpConvDecoder
from models.depth_net import DepthNet
from models.encoder import Encoder
from models.image_style import FourierAdaptation, HistogramMatching, ImageAdaIN
from models.pose_net import PoseNet
from models.pruned import with_pruned_channels
from models.pydnet import PyDNet

__all__ = [
    "AdaIN",
    "Decoder",
    "DepthNet",
    "DepthNetwork",
    "Encoder",
    "FourierAdaptation",
    "HistogramMatching",
    "ImageAdaIN",
    "LightDecoder",
    "NNConv5Decoder",
    "PoseNet",
    "PyDNet",
    "StyleNetwork",
    "SubpixelDecoder",
    "UpConvDecoder",
    "with_pruned_channels",
]
