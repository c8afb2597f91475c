"""One way to run a network, whatever file it lies in. Imports torch for a checkpoint alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deploy.inference.images import Array, read_image, to_image_size, to_input
from deploy.inference.network import Network
from lightning_app.canonical_camera import canonical_scale


class DepthModel:
    """A network that takes images of any size.

    Attributes:
        network: what runs, on inputs of its own size.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, image: Array | Image.Image | str | Path, focal_px: float | None = None) -> NDArray[np.float32]:
        """Predict depth, or inverse depth up to scale and shift where the network was trained for that.

        Args:
            image: a file, a PIL image, or RGB (H, W, 3) as uint8 or as float in [0, 1].
            focal_px: the camera's focal length in pixels of this image; needed by a network that was trained for a
                canonical camera, and by no other.

        Returns:
            float32 metres (or inverse depth), (H, W), the image's own size.

        Raises:
            OSError: a corrupt image file.
            ValueError: an array that is not RGB, or a focal length that is missing, not needed or not positive.
        """
        canonical = self.network.canonical_focal_px
        if (canonical is None) != (focal_px is None):
            needed = "was trained for a canonical camera: give --focal-px (focal_px)"
            raise ValueError(f"{self.network.path}: this network {needed if canonical else 'needs no focal length'}")
        if focal_px is not None and not focal_px > 0:
            raise ValueError(f"a focal length of {focal_px} px is not positive")
        if isinstance(image, str | Path):
            image = read_image(Path(image))
        elif isinstance(image, Image.Image):
            image = np.asarray(image.convert("RGB"))
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"an image of shape {image.shape} is not RGB (H, W, 3)")
        size, own = self.network.size, (image.shape[0], image.shape[1])
        depth = self.network(to_input(image, size))[0, 0]
        if canonical is not None and focal_px is not None:
            depth /= np.float32(canonical_scale(focal_px * size[1] / own[1], focal_px * size[0] / own[0], canonical))
        return to_image_size(depth, own, self.network.predicts)


def load(path: str | Path) -> DepthModel:
    """Open a checkpoint (.ckpt) or an ONNX file (.onnx, .ort): ``load(path)(image)`` is depth in metres.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, or a corrupt one.
    """
    return DepthModel(load_network(Path(path)))


def load_network(path: Path, threads: int | None = None) -> Network:
    """The bare network of a checkpoint, an ONNX file or a converted one, which takes inputs of its own size;
    ``threads`` are the runtime's choice if left out."""
    if path.suffix in (".onnx", ".ort"):
        from deploy.inference.onnx_network import OnnxNetwork

        return OnnxNetwork(path, threads)
    if path.suffix == ".ckpt":
        from deploy.inference.torch_network import TorchNetwork

        return TorchNetwork(path, threads)
    if path.suffix == ".tflite":
        from deploy.inference.litert_network import LiteRtNetwork

        return LiteRtNetwork(path, threads)
    if path.suffix == ".pte":
        from deploy.inference.executorch_network import ExecuTorchNetwork

        return ExecuTorchNetwork(path, threads)
    raise ValueError(f"{path}: a model is a checkpoint (.ckpt) or an ONNX file (.onnx, .ort; converted: .tflite, .pte)")
