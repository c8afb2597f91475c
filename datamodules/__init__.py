"""Data sets, augmentation and batching: files -> batches.

A **reader** finds the frames of one data set and reads each as a :class:`Frame`. The data module mixes readers and
turns frames into samples.

The keys of a **sample**, with shapes before batching. A batch stacks samples along a new first dimension.

==================  ===========================================================================================
``image``           RGB, (3, H, W); uint8 from the loader, float32 in [0, 1] on the device
``depth``           float32 metres along the camera's z axis, (1, H, W); 0 where unknown
``valid``           added on the device: bool, (1, H, W), True where depth is known
``intrinsics``      float32, (3, 3), pixels of *this* image; pixel centres at integer coordinates
``domain``          ``"synthetic"`` or ``"real"``
``path``            path of the image file
``pair``            int64, (5,), the ordinal pair in pixels of *this* image, see :class:`Frame`; zeros if there is none
``inv_depth``       float32, (1, H, W), 0 where unknown; only if a teacher labelled a frame of the batch. The teacher's
                    inverse depth up to scale and shift, or 1 / ``depth`` for frames without a label.
``views``           training only, if a frame of the batch has neighbours: the image without photometric noise and its
                    N neighbours, (1 + N, 3, H, W), RGB like ``image``
``has_view``        with ``views``: bool, (N,), False for a neighbour that this frame does not have
``view_intrinsics`` with ``views``: float32, (N, 3, 3), pixels of the neighbours
``poses``           with ``views``: float32, (N, 4, 4), from the camera of the frame to those of its neighbours, see
                    :class:`Neighbour`; the identity if unknown
``pose_known``      with ``views``: bool, (N,)
``key``             training only: the 64-bit seed of every random draw for this sample
``truth``           evaluation only: the kind of ground truth, see :class:`Reader`
``view``            evaluation only: the part of the frame that ``image`` shows, ``full`` or ``kb``
``full_depth``      evaluation only: ground truth at its own size, (1, h, w), padded with 0 on the right and bottom
``full_size``       evaluation only: int64, (2,), height and width of ``full_depth`` without padding
``box``             evaluation only: int64, (4,), top, bottom, left and right of the view in pixels of ``full_depth``
``view_size``       evaluation only: int64, (2,), height and width of the view in pixels of the image file
``full_pair``       evaluation only: int64, (5,), the ordinal pair in pixels of ``full_depth``
==================  ===========================================================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "Augmentation",
    "DepthDataModule",
    "Diw",
    "Frame",
    "KittiRaw",
    "Make3D",
    "Neighbour",
    "NyuFolders",
    "NyuLabeled",
    "Photos",
    "Reader",
    "SevenScenes",
    "Shards",
    "StyleTransfer",
    "TumRgbd",
    "Video",
    "VirtualKitti",
    "VirtualKitti1",
]

_MODULES = (
    *("augmentation", "depth_datamodule", "diw", "kitti", "make3d", "nyu", "photos", "reader", "rgbd"),
    *("shards", "style", "video", "vkitti"),
)

if TYPE_CHECKING:
    from datamodules.augmentation import Augmentation
    from datamodules.depth_datamodule import DepthDataModule
    from datamodules.diw import Diw
    from datamodules.kitti import KittiRaw
    from datamodules.make3d import Make3D
    from datamodules.nyu import NyuFolders, NyuLabeled
    from datamodules.photos import Photos
    from datamodules.reader import Frame, Neighbour, Reader
    from datamodules.rgbd import SevenScenes, TumRgbd
    from datamodules.shards import Shards
    from datamodules.style import StyleTransfer
    from datamodules.video import Video
    from datamodules.vkitti import VirtualKitti, VirtualKitti1
else:

    def __getattr__(name):
        """Import all public names at the first use of one, so that ``datamodules.image_files`` costs no torch."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for module in _MODULES:
            content = vars(import_module(f"{__name__}.{module}"))
            globals().update({each: content[each] for each in __all__ if each in content})
        return globals()[name]
