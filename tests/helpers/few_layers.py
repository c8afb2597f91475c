"""A network small enough to be quantized layer by layer in a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import onnx
import torch
from torch import nn

from deploy.export.to_onnx import to_onnx


class FewLayers(nn.Module):
    """(B, 3, H, W) in [0, 1] -> (B, 1, H / 2, W / 2) metres, by convolutions as encoders have them."""

    predicts = "depth"

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU())
        self.project = nn.Conv2d(8, 8, 1)
        self.head = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.stem(image)
        features = features + self.project(self.depthwise(features))
        return 1 + 10 * torch.sigmoid(self.head(features))


def write_few_layers(path: Path) -> Path:
    """Its ONNX file, at 64x96, with weights of a fixed seed."""
    onnx.save(_exported(), path)
    return path


@cache
def _exported() -> onnx.ModelProto:
    torch.manual_seed(0)
    return to_onnx(FewLayers().eval(), (64, 96))
