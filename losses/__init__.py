"""Losses: predictions and batch -> named terms. Pure torch.

A loss is a module with the signature ``loss(predictions, batch) -> dict[str, Tensor]``.

``predictions``: output of the network's ``multiscale``, a tuple of (B, 1, h, w), finest first.

``batch``: at least ``depth`` and ``valid``, (B, 1, H, W), and ``predicts``, the quantity that the network predicts. An
optional ``inv_depth``, (B, 1, H, W), is a teacher's inverse depth up to scale and shift, 0 where unknown. Losses on
inverse depth prefer it to the inverse of ``depth``.

The returned dictionary has the terms by name, and the value to minimise under ``loss``. Means are taken per image, then
over images. An image without known pixels contributes 0.

``ContentStyle``, the loss of stylizers, has another signature: it compares features.
"""

from losses.berhu import BerHu
from losses.content_style import ContentStyle
from losses.l1_gradient import L1Gradient
from losses.multi_scale_l1 import MultiScaleL1
from losses.ordinal import OrdinalRanking
from losses.photometric import Photometric
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
    "Photometric",
    "SILog",
    "ScaleShiftInvariant",
    "VirtualNormals",
    "WeightedSum",
]
