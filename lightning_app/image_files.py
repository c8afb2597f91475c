"""Images of files and folders for ``deploy``, which does not import ``datamodules``. Does not import torch."""

from datamodules.folders import find_images
from datamodules.image_files import LARGEST_SIDE, from_pillow, read_image
from datamodules.reader import CorruptFrameError

__all__ = ["LARGEST_SIDE", "CorruptFrameError", "find_images", "from_pillow", "read_image"]
