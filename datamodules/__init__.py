"""Files -> batches.

A **reader** finds the frames of one data set and reads each as a :class:`Frame`. The data module turns frames into
samples and mixes readers.

A **sample**, batched along the first dimension:

==================  ===========================================================================================
``image``           RGB, (3, H, W); uint8 until the device, then float32 in [0, 1]
``depth``           float32 metres along the camera's z axis, (1, H, W); 0 where unknown
``valid``           from the device on: bool, (1, H, W), where depth is known
``intrinsics``      float32, (3, 3), pixels of *this* image; pixel centres at integer coordinates
``domain``          ``"synthetic"`` or ``"real"``
``path``            the image's file
``pair``            int64 (5,), the ordinal pair in pixels of *this* image, see :class:`Frame`; zeros if there is none
``inv_depth``       where a teacher labelled one of the batch: float32, (1, H, W), its inverse depth up to scale and
                    shift, of the others that of their depth; 0 where unknown
``key``             training only: the 64-bit number from which every random draw for this sample is made
``truth``           evaluation only: what the depth is, see :class:`Reader`
``view``            evaluation only: the part of the frame that ``image`` shows, a name in ``VIEWS``
``full_depth``      evaluation only: the truth at its own size, (1, h, w), padded with 0 on the right and the bottom
``full_size``       evaluation only: int64 (2,), the height and width that are not padding
``box``             evaluation only: int64 (4,), the view's top, bottom, left and right in pixels of ``full_depth``
``full_pair``       evaluation only: int64 (5,), the ordinal pair in pixels of ``full_depth``
==================  ===========================================================================================
"""

from datamodules.augmentation import Augmentation
from datamodules.depth_datamodule import DepthDataModule
from datamodules.diw import Diw
from datamodules.kitti import KittiRaw
from datamodules.make3d import Make3D
from datamodules.nyu import NyuFolders, NyuLabeled
from datamodules.photos import Photos
from datamodules.reader import Frame, Reader
from datamodules.rgbd import SevenScenes, TumRgbd
from datamodules.shards import Shards
from datamodules.style import StyleTransfer
from datamodules.vkitti import VirtualKitti, VirtualKitti1

__all__ = [
    "Augmentation",
    "DepthDataModule",
    "Diw",
    "Frame",
    "KittiRaw",
    "Make3D",
    "NyuFolders",
    "NyuLabeled",
    "Photos",
    "Reader",
    "SevenScenes",
    "Shards",
    "StyleTransfer",
    "TumRgbd",
    "VirtualKitti",
    "VirtualKitti1",
]
