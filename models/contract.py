"""The contracts of networks: the members that training, evaluation and export use.

A network of your own may derive from these classes, but does not have to: any ``nn.Module`` with the same members is
accepted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast, get_args

from torch import Tensor, nn

from models.prediction import Predicts


class DepthNetwork(nn.Module, ABC):
    """One RGB image -> depth or inverse depth.

    A network whose depth is for one camera alone also has ``canonical_focal_px``, that camera's focal length in pixels
    or None; a network without this attribute is trained for any.

    Attributes:
        predicts: ``depth`` (metres) or ``inverse_depth`` (up to scale and shift).
        trained: True where the weights come with the class, so that it is tested without a checkpoint.
    """

    predicts: Predicts
    trained: bool = False

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> (B, 1, h, w), with no Python that depends on a shape, as it is exported."""

    @abstractmethod
    def multiscale(self, image: Tensor) -> tuple[Tensor, ...]:
        """The prediction at every supervised scale, finest first; the first is that of ``forward``."""

    @abstractmethod
    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError where the network does not take (height, width), as where its stride does not divide it."""

    @abstractmethod
    def load_pretrained(self) -> None:
        """Load pretrained weights; called once before training, never when a checkpoint is opened."""


class Decoder(nn.Module, ABC):
    """Feature maps -> logits.

    Built from the encoder's feature maps (:class:`models.encoder.FeatureInfo`), the stride of the finest prediction and
    the number of heads.

    Attributes:
        heads: the last convolution of each prediction, in any order.
    """

    heads: nn.ModuleList

    @abstractmethod
    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, finest first -> one logit map of each head, (B, 1, h, w), finest first."""


class StyleNetwork(nn.Module, ABC):
    """Gives an image the look of another."""

    @abstractmethod
    def statistics(self, style: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> (N, ...), all that is kept of a style image."""

    @abstractmethod
    def forward(self, content: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise a batch.

        Args:
            content: RGB in [0, 1], (N, 3, H, W).
            statistics: of one style image each.
            strength: (N,), from 0, the content as it is, to 1, the full style.

        Returns:
            RGB in [0, 1], (N, 3, H, W); objects stay where they are, so that depth still fits.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A line that changes with everything that ``statistics`` depends on; raises ValueError before training."""


def require_depth_network(network: nn.Module) -> DepthNetwork:
    """The same network, typed.

    Raises:
        ValueError: it lacks a member of :class:`DepthNetwork`, which is named.
    """
    _require(network, DepthNetwork, ("forward", "multiscale", "predicts", "check_size", "load_pretrained"))
    if network.predicts not in get_args(Predicts):
        raise ValueError(
            f"{type(network).__name__} predicts {network.predicts!r}; known are {', '.join(get_args(Predicts))}"
        )
    return cast(DepthNetwork, network)


def require_decoder(decoder: nn.Module) -> Decoder:
    """The same decoder, typed.

    Raises:
        ValueError: it lacks a member of :class:`Decoder`, which is named.
    """
    _require(decoder, Decoder, ("forward", "heads"))
    return cast(Decoder, decoder)


def _require(module: nn.Module, contract: type[nn.Module], members: Sequence[str]) -> None:
    for name in members:
        missing = type(module).forward is nn.Module.forward if name == "forward" else not hasattr(module, name)
        if missing:
            raise ValueError(
                f"{type(module).__name__} is no {contract.__name__}: it has no {name!r}; "
                f"models.contract.{contract.__name__} lists the members"
            )
