"""Losses: predictions and batch -> named terms. Pure torch.

The contract of a loss: ``loss(predictions, batch) -> dict[str, Tensor]``. ``predictions`` is the network's
``multiscale`` tuple, finest first; the batch holds at least ``depth`` and ``valid``, (B, 1, H, W). The dictionary holds
the terms by name and what is minimised under ``loss``. Each mean is taken per image, then over images; a frame with no
valid pixel adds 0. A stylizer's loss, ``ContentStyle``, takes features instead.
"""

from losses.content_style import ContentStyle
from losses.multi_scale_l1 import MultiScaleL1
from losses.silog import SILog
from losses.weighted_sum import WeightedSum

__all__ = ["ContentStyle", "MultiScaleL1", "SILog", "WeightedSum"]
