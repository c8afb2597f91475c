"""Load a network from a file of any supported format. Imports torch only for checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deploy.inference.images import Array, check_array, to_image_size, to_input
from deploy.inference.network import Network, require_finite
from lightning_app.canonical_camera import canonical_scale
from lightning_app.image_files import from_pillow, read_image
from lightning_app.run_folder import model_file

Input: TypeAlias = NDArray[np.uint8] | NDArray[np.floating[Any]] | Image.Image | str | Path


class DepthModel:
    """A depth network that accepts images of any size.

    Attributes:
        network: the underlying network, with a fixed input size.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, image: Input, focal_px: float | None = None) -> NDArray[np.float32]:
        """Predict depth, or inverse depth up to scale and shift if the network was trained for it.

        Args:
            image: an image file, a PIL image, or an RGB array, (H, W, 3), uint8 or float in [0, 1]. Files and PIL
                images are turned upright by their EXIF orientation.
            focal_px: focal length of the camera in pixels of this image. Required for a network that was trained for
                a canonical camera; an error for any other network.

        Returns:
            Depth in metres or inverse depth, float32, (H, W), at the size of the upright image.

        Raises:
            CorruptFrameError: the image file is missing or corrupt.
            TypeError: not an image.
            ValueError: the array has another shape, data type or range, or the focal length is missing, not applicable
                or not positive.
        """
        canonical = self.network.canonical_focal_px
        if (canonical is None) != (focal_px is None):
            needed = "was trained for a canonical camera: give --focal-px (focal_px)"
            unused = "was not trained for a canonical camera: leave out --focal-px (focal_px)"
            raise ValueError(f"{self.network.path}: this network {needed if canonical else unused}")
        if focal_px is not None and not 0 < focal_px < np.inf:
            raise ValueError(f"a focal length of {focal_px} px is not positive and finite")
        pixels = _pixels(image)
        size, own = self.network.size, (pixels.shape[0], pixels.shape[1])
        depth = self.network(to_input(pixels, size))[0, 0]
        if canonical is not None and focal_px is not None:
            depth /= np.float32(canonical_scale(focal_px * size[1] / own[1], focal_px * size[0] / own[0], canonical))
        return to_image_size(require_finite(depth, self.network.path), own, self.network.predicts)


def load(path: str | Path) -> DepthModel:
    """Load a checkpoint (.ckpt), a run folder or an ONNX file (.onnx, .ort). ``load(path)(image)`` returns metres.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is corrupt or has an unsupported format.
    """
    return DepthModel(load_network(model_file(Path(path))))


def _pixels(image: Input) -> Array:
    if isinstance(image, str | Path):
        return read_image(Path(image))
    return from_pillow(image) if isinstance(image, Image.Image) else check_array(image)


def load_network(path: Path, threads: int | None = None) -> Network:
    """Load a network with a fixed input size from a checkpoint, an ONNX file or a converted file.

    Args:
        path: .ckpt, .onnx, .ort, .tflite or .pte file.
        threads: number of threads. Default: chosen by the runtime.

    Raises:
        FileNotFoundError: the file is missing.
        ImportError: the runtime of the file is not installed.
        ValueError: the file is corrupt or has an unsupported format.
    """
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
