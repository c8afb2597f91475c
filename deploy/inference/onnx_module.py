"""An ONNX file as a network, so that ``test`` evaluates the exported file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from deploy.inference.onnx_network import OnnxNetwork
from models import DepthNetwork


class OnnxModule(DepthNetwork):
    """An ONNX file as a depth network for testing and validation. It cannot be trained.

        pocketdepth test -c base.yaml -c x.yaml
            --model.network deploy.inference.OnnxModule --model.network.file depth-int8.onnx

    Args:
        file: the ONNX file.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: not an ONNX file, or not an image -> depth network with a static input size.
    """

    trained = True

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.network = OnnxNetwork(Path(file))
        self.predicts, self.canonical_focal_px = self.network.predicts, self.network.canonical_focal_px

    def forward(self, image: Tensor) -> Tensor:
        """Predict depth or inverse depth, (B, 1, h, w), from RGB in [0, 1], (B, 3, H, W).

        The images run one by one, because the file has a batch size of 1.
        """
        images = image.detach().cpu().contiguous().numpy()
        return torch.cat([torch.from_numpy(self.network(each[None])) for each in images]).to(image.device)

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the prediction of ``forward`` as the only scale."""
        return (self(image),)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError if (height, width) is not the input size of the file."""
        if size != self.network.size:
            height, width = self.network.size
            raise ValueError(
                f"{self.network.path} accepts {height}x{width} (height x width), not {size[0]}x{size[1]}: "
                f"give --data.size [{height},{width}]"
            )

    def load_pretrained(self) -> None:
        """Raise ValueError. This method is called before training, which is not supported."""
        raise ValueError(f"{self.network.path}: an ONNX file cannot be trained; train its source network")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same object: Lightning copies a module's arguments, but ONNX Runtime sessions cannot be copied."""
        return self
