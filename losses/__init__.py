"""Losses: predictions and batch -> named terms. Pure torch.

The contract of a loss: ``loss(predictions, batch) -> dict[str, Tensor]``. ``predictions`` is the network's
``multiscale`` tuple, finest first; the batch holds at least ``depth`` and ``valid``, (B, 1, H, W), and under
``predicts`` what the network gives. A teacher's inverse depth up to scale and shift stands under ``inv_depth``,
(B, 1, H, W), 0 where unknown, and goes before that of the depth. The dictionary holds the terms by name and what is
minimised under ``loss``. Each mean is taken per image, then over images; a frame with no known pixel adds 0. A
stylizer's loss, ``ContentStyle``, takes features instead.
"""

from losses.berhu import BerHu
from losses.content_style import ContentStyle
from losses.l1_gradient import L1Gradient
from losses.multi_scale_l1 import MultiScaleL1
from losses.ordinal import OrdinalRanking
from losses.scale_shift import ScaleShiftInvariant
from losses.silog import SILog
from losses.smoothness import EdgeAwareSmoothness
from losses.virtual_normals import VirtualNormals
from losses.weighted_sum import WeightedSum

__all__ = [
    "BerHu",
    "ContentStyle",
    "EdgeAwareSmoothness",
    "L1Gradient",
    "MultiScaleL1",
    "OrdinalRanking",
    "SILog",
    "ScaleShiftInvariant",
    "VirtualNormals",
    "WeightedSum",
]
