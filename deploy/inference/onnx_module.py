"""An ONNX file in the place of a network, so that ``test`` scores what is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from deploy.inference.onnx_network import OnnxNetwork
from models import DepthNetwork


class OnnxModule(DepthNetwork):
    """An ONNX file as a depth network; it is run, never trained.

        pocketdepth test -c experiments/base.yaml -c experiments/x.yaml
            --model.network deploy.inference.OnnxModule --model.network.file depth-int8.onnx

    Args:
        file: the ONNX file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an ONNX file, or not an image -> depth network of a static size.
    """

    trained = True

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.network = OnnxNetwork(Path(file))
        self.predicts, self.canonical_focal_px = self.network.predicts, self.network.canonical_focal_px

    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> what it predicts, (B, 1, h, w); one by one, as the file has a batch of one."""
        images = image.detach().cpu().contiguous().numpy()
        return torch.cat([torch.from_numpy(self.network(each[None])) for each in images]).to(image.device)

    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """What it predicts, alone."""
        return (self(image),)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError where (height, width) is not the file's."""
        if size != self.network.size:
            height, width = self.network.size
            raise ValueError(
                f"{self.network.path} takes {height}x{width} (height x width), not {size[0]}x{size[1]}: "
                f"give --data.size [{height},{width}]"
            )

    def load_pretrained(self) -> None:
        """Raise ValueError: this is called before training."""
        raise ValueError(f"{self.network.path}: an ONNX file cannot be trained; fit the network that it came from")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same: Lightning copies what a module is built from, and a session of ONNX Runtime cannot be copied."""
        return self
