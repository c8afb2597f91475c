"""One way to run a network, whatever file it lies in. Imports torch for a checkpoint alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deploy.images import Array, read_image, to_image_size, to_input

if TYPE_CHECKING:
    from deploy.checkpoint import TorchNetwork
    from deploy.runtime import OnnxNetwork


class DepthModel:
    """A network that takes images of any size.

    Attributes:
        network: what runs, on inputs of its own size.
    """

    def __init__(self, network: OnnxNetwork | TorchNetwork) -> None:
        self.network = network

    def __call__(self, image: Array | Image.Image | str | Path) -> NDArray[np.float32]:
        """Predict depth.

        Args:
            image: a file, a PIL image, or RGB (H, W, 3) as uint8 or as float in [0, 1].

        Returns:
            float32 metres, (H, W), the image's own size.

        Raises:
            OSError: a damaged image file.
            ValueError: an array that is not RGB.
        """
        if isinstance(image, str | Path):
            image = read_image(Path(image))
        elif isinstance(image, Image.Image):
            image = np.asarray(image.convert("RGB"))
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"an image of shape {image.shape} is not RGB (H, W, 3)")
        depth = self.network(to_input(image, self.network.size))
        return to_image_size(depth[0, 0], (image.shape[0], image.shape[1]))


def load(path: str | Path) -> DepthModel:
    """Open a checkpoint (.ckpt) or an ONNX file (.onnx): ``load(path)(image)`` is depth in metres.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, or a damaged one.
    """
    return DepthModel(load_network(Path(path)))


def load_network(path: Path) -> OnnxNetwork | TorchNetwork:
    """The bare network of a checkpoint or an ONNX file, which takes inputs of its own size."""
    if path.suffix == ".onnx":
        from deploy.runtime import OnnxNetwork

        return OnnxNetwork(path)
    if path.suffix == ".ckpt":
        from deploy.checkpoint import TorchNetwork

        return TorchNetwork(path)
    raise ValueError(f"{path}: a model is a checkpoint (.ckpt) or an ONNX file (.onnx)")
