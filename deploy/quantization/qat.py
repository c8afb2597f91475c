"""Quantization-aware training: a network is fine-tuned as it will be rounded."""

from __future__ import annotations

from typing import Any, cast

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models import DepthNetwork
from models.float_layers import float_layers

_CONVOLUTIONS = {"conv2d": 0, "conv_transpose2d": 1}  # and which axis of the weight is the output channel
_ADDITIONS = ("add", "add_")
_AVERAGING = 0.01  # of a batch's range, after the first
_FUSES = ("fuse", "reparameterize", "switch_to_deploy")  # timm's names for: make one convolution of the branches


class FakeQuantize(Callback):
    """Fine-tunes with fake quantization (arXiv 1712.05877, 1806.08342) of what ``pocketdepth quantize`` will quantize.

    During ``fit`` every convolution but a small stem and the heads sees its weight rounded to int8 per output
    channel and its input to uint8, and an addition both its operands to uint8; gradients pass straight through.
    What is trained and saved are the float weights: the checkpoint is an ordinary one, exported and quantized like any
    other. Validation is rounded, too, so that ``best.ckpt`` is the best in int8; ``test``, and all that opens the
    checkpoint, runs in float.

    In a distributed run each process knows the ranges of its own batches, and the first one's are saved.

    Args:
        calibration_steps: in which ranges are watched before anything is rounded.
        freeze: the share of the run after which ranges stay as they are.

    Raises:
        ValueError: no step to calibrate on, a share that is not in (0, 1], no depth network, a compiled one, one
            without a part called ``heads``, or one with blocks that are fused at export: to round their branches is not
            to round what they become.
    """

    def __init__(self, calibration_steps: int = 20, freeze: float = 0.8) -> None:
        if calibration_steps < 1:
            raise ValueError(f"calibration_steps {calibration_steps}: without a step the ranges are not known")
        if not 0 < freeze <= 1:
            raise ValueError(f"freeze {freeze} is a share of the run: in (0, 1]")
        self.calibration_steps, self.freeze = calibration_steps, freeze
        self._rounding = _Rounding()
        self._hooks: list[Any] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network = cast(DepthNetwork, pl_module.network)
        if not hasattr(network, "multiscale"):
            raise ValueError(f"FakeQuantize is for depth networks, {type(network).__name__} is none")
        parts = {name: part for name, part in network.named_modules() if name}
        if pl_module.hparams.get("compile"):
            raise ValueError("FakeQuantize does not work in a compiled network: leave --model.compile away")
        fused = [name for name, part in parts.items() if any(hasattr(part, each) for each in _FUSES)]
        if fused:
            raise ValueError(f"FakeQuantize would round branches, but the export makes one convolution of {fused[0]}")
        floats = float_layers(network)
        if not floats:
            raise ValueError(
                f"FakeQuantize leaves heads in float, and {type(network).__name__} has no part called heads"
            )
        rounding = self._rounding
        rounding.float_nodes = {id(network.get_submodule(name).weight) for name in floats}
        rounding.ranges = {key: each.to(pl_module.device) for key, each in rounding.ranges.items()}
        for name, part in parts.items():
            self._hooks.append(part.register_forward_pre_hook(lambda *_, name=name: rounding.enter(name)))
            self._hooks.append(part.register_forward_hook(lambda *_: rounding.leave(), always_call=True))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: dict[str, Any], batch_idx: int
    ) -> None:
        step, last = trainer.global_step, self.freeze * trainer.estimated_stepping_batches
        self._rounding.watches = step < max(self.calibration_steps, last)
        self._rounding.rounds = step >= self.calibration_steps

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._rounding.watches = False
        self._rounding.rounds = trainer.global_step >= self.calibration_steps

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for hook in self._hooks:
            hook.remove()

    def state_dict(self) -> dict[str, Any]:
        """The ranges, for a run that is resumed."""
        return {"ranges": self._rounding.ranges}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rounding.ranges = state_dict["ranges"]


class _Rounding(TorchFunctionMode):
    """Rounds what enters convolutions and additions, as functions: not every layer is a plain ``nn.Conv2d``, and no
    addition is a layer.

    A network's part calls them in the same order each time, so a range belongs to a part and a place in that order.

    Attributes:
        ranges: minimum and maximum, (2,), by part and place.
        float_nodes: ids of the weights that stay in float.
        watches: whether ranges follow the batches.
        rounds: whether anything is rounded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ranges: dict[str, Tensor] = {}
        self.float_nodes: set[int] = set()
        self.watches = self.rounds = False
        self._part, self._depth, self._place = "", 0, 0

    def enter(self, part: str) -> None:
        """A part of the network is called, perhaps by another."""
        if self._depth == 0:
            self._part, self._place = part, 0
            self.__enter__()  # type: ignore[no-untyped-call]
        self._depth += 1

    def leave(self) -> None:
        """It has returned, or raised."""
        self._depth -= 1
        if self._depth == 0:
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in _CONVOLUTIONS and id(args[1]) not in self.float_nodes:
            args = (self._activation(args[0]), self._weight(args[1], _CONVOLUTIONS[name]), *args[2:])
        elif name in _ADDITIONS and all(isinstance(each, Tensor) and each.dim() == 4 for each in args[:2]):
            args = (*map(self._activation, args[:2]), *args[2:])
        return func(*args, **(kwargs or {}))

    def _weight(self, weight: Tensor, axis: int) -> Tensor:
        """Not folded with the BatchNorm behind it: that scales an output channel, and the channel's scale with it."""
        if not self.rounds:
            return weight
        scale = weight.detach().abs().amax([each for each in range(4) if each != axis]).clamp_min(1e-12) / 127
        return torch.fake_quantize_per_channel_affine(weight, scale, torch.zeros_like(scale).int(), axis, -127, 127)

    def _activation(self, x: Tensor) -> Tensor:
        key = f"{self._part}.{self._place}"
        self._place += 1
        if self.watches:
            low, high = x.detach().aminmax()
            seen = torch.stack([low.clamp_max(0), high.clamp_min(0)]).float()
            self.ranges[key] = torch.lerp(self.ranges[key], seen, _AVERAGING) if key in self.ranges else seen
        if not self.rounds or key not in self.ranges:
            return x
        low, high = self.ranges[key]
        scale = (high - low).clamp_min(1e-12) / 255
        return torch.fake_quantize_per_tensor_affine(x, scale, (-low / scale).round().int(), 0, 255)
