"""Interfaces of networks: the members that training, evaluation and export use.

Custom networks may derive from these classes, but any ``nn.Module`` with the same members is accepted. A network that
derives records its arguments, so that a checkpoint of a plain script can be opened without the script.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast, get_args

from torch import Tensor, nn

from models.description import Described
from models.prediction import Predicts

# Members of a depth network that its class must have; `predicts` may be set by the constructor.
DEPTH_NETWORK = ("forward", "multiscale", "check_size", "load_pretrained")


class DepthNetwork(Described, ABC):
    """A network that predicts depth or inverse depth from one RGB image.

    The optional attribute ``canonical_focal_px`` is the canonical focal length of trained weights in pixels, or None if
    they have no canonical camera. The Lightning module must be configured with the same value. A network without this
    attribute accepts any value.

    Attributes:
        predicts: ``depth`` (metres) or ``inverse_depth`` (up to scale and shift).
        trained: True if the class includes trained weights, so that ``test`` and ``validate`` need no checkpoint.
    """

    predicts: Predicts
    trained: bool = False

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> prediction, (B, 1, h, w). For export, no Python may depend on a shape."""

    @abstractmethod
    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """Predictions at every supervised scale, finest first. The first one equals the output of ``forward``."""

    @abstractmethod
    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError if (height, width) is not supported, e.g. not a multiple of the stride."""

    @abstractmethod
    def load_pretrained(self) -> None:
        """Load pretrained weights. Called once before training, never when a checkpoint is loaded."""


class Decoder(nn.Module, ABC):
    """A decoder that maps feature maps to logits.

    The constructor gets the encoder's feature maps (:class:`models.encoder.FeatureInfo`), the stride of the finest
    prediction and the number of heads.

    Attributes:
        heads: last convolution of each prediction, in any order.
    """

    heads: nn.ModuleList

    @abstractmethod
    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, finest first -> one logit map per head, (B, 1, h, w), finest first."""


class StyleNetwork(Described, ABC):
    """A network that transfers the style of one image to another."""

    @abstractmethod
    def statistics(self, style: Tensor) -> Tensor:
        """Style images, RGB in [0, 1], (N, 3, H, W) -> their statistics, (N, ...). The images are not kept."""

    @abstractmethod
    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch.

        Args:
            content: content images, RGB in [0, 1], (N, 3, H, W).
            statistics: statistics of one style image per content image, (N, ...).
            strength: strength of the style in [0, 1], (N,); 0 keeps the content.

        Returns:
            RGB in [0, 1], (N, 3, H, W). The geometry is unchanged, so the depth of the content stays valid.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Identify everything on which :meth:`statistics` depends, in one line.

        Raises:
            ValueError: the network is not trained.
        """


def require_depth_network(network: nn.Module) -> DepthNetwork:
    """Check the interface of a network and return it, typed.

    Raises:
        ValueError: a member of :class:`DepthNetwork` is missing, or ``predicts`` has an unknown value.
    """
    _require(network, DepthNetwork, (*DEPTH_NETWORK, "predicts"))
    if network.predicts not in get_args(Predicts):
        raise ValueError(
            f"{type(network).__name__} predicts {network.predicts!r}; supported are {', '.join(get_args(Predicts))}"
        )
    return cast(DepthNetwork, network)


def require_decoder(decoder: nn.Module) -> Decoder:
    """Check the interface of a decoder and return it, typed.

    Raises:
        ValueError: a member of :class:`Decoder` is missing.
    """
    _require(decoder, Decoder, ("forward", "heads"))
    return cast(Decoder, decoder)


def _require(module: nn.Module, contract: type[nn.Module], members: Sequence[str]) -> None:
    for name in members:
        missing = type(module).forward is nn.Module.forward if name == "forward" else not hasattr(module, name)
        if missing:
            raise ValueError(
                f"{type(module).__name__} is not a {contract.__name__}: it has no {name!r}; "
                f"models.contract.{contract.__name__} lists the members"
            )
