"""Quantization-aware training: fine-tuning with simulated int8 rounding."""

from __future__ import annotations

from typing import Any, cast

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models import DepthNetwork
from models.float_layers import float_layers

_CONVOLUTIONS = {"conv2d": 0, "conv_transpose2d": 1}  # function -> axis of the output channels in the weight
_ADDITIONS = ("add", "add_")
_AVERAGING = 0.01  # weight of a batch in the moving average of a range
_FUSES = ("fuse", "reparameterize", "switch_to_deploy")  # timm's method names for fusing branches into one convolution


class FakeQuantize(Callback):
    """Fine-tune with fake quantization (arXiv 1712.05877, 1806.08342) of the layers that ``quantize`` quantizes.

    During ``fit``, the weight of each convolution is rounded to int8 per output channel and its input to uint8. Both
    operands of each addition are rounded to uint8. A small stem and the heads stay in float. Gradients use the
    straight-through estimator.

    The float weights are trained and saved, so the checkpoint is exported and quantized like any other. Validation also
    uses rounding, so ``best.ckpt`` is the best checkpoint in int8. ``test`` and all other commands use float.

    In distributed training, each process tracks the ranges of its own batches. Those of rank 0 are saved.

    Args:
        calibration_steps: number of initial steps that only track ranges, without rounding. At least 1.
        freeze: fraction of the training after which the ranges are frozen, in (0, 1].

    Raises:
        ValueError: an argument is out of range, the network is compiled, is not a depth network or has no module named
            ``heads``, or it has blocks whose branches are fused at export. Rounding the branches is not equivalent to
            rounding the fused convolution.
    """

    def __init__(self, calibration_steps: int = 20, freeze: float = 0.8) -> None:
        if calibration_steps < 1:
            raise ValueError(f"calibration_steps must be at least 1, not {calibration_steps}")
        if not 0 < freeze <= 1:
            raise ValueError(f"freeze is a fraction of the training and must be in (0, 1], not {freeze}")
        self.calibration_steps, self.freeze = calibration_steps, freeze
        self._rounding = _Rounding()
        self._hooks: list[Any] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network = cast(DepthNetwork, pl_module.network)
        if not hasattr(network, "multiscale"):
            raise ValueError(
                f"FakeQuantize needs a depth network, but {type(network).__name__} has no multiscale method"
            )
        parts = {name: part for name, part in network.named_modules() if name}
        if pl_module.hparams.get("compile"):
            raise ValueError("FakeQuantize does not support compiled networks: leave out --model.compile")
        fused = [name for name, part in parts.items() if any(hasattr(part, each) for each in _FUSES)]
        if fused:
            raise ValueError(f"FakeQuantize does not support {fused[0]}, whose branches are fused at export")
        floats = float_layers(network)
        if not floats:
            raise ValueError(
                f"FakeQuantize keeps the heads in float, but {type(network).__name__} has no module named heads"
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
        """Return the ranges, so that training can be resumed."""
        return {"ranges": self._rounding.ranges}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rounding.ranges = state_dict["ranges"]


class _Rounding(TorchFunctionMode):
    """Round the inputs of convolutions and additions at function level.

    Hooks on modules are not sufficient: some layers are not ``nn.Conv2d``, and additions are not modules. A top-level
    module call executes these functions in a fixed order, so module name and index in that order identify a range.

    Attributes:
        ranges: minimum and maximum, (2,), by module name and index.
        float_nodes: ids of the weights that stay in float.
        watches: whether ranges are updated.
        rounds: whether rounding is active.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ranges: dict[str, Tensor] = {}
        self.float_nodes: set[int] = set()
        self.watches = self.rounds = False
        self._part, self._depth, self._place = "", 0, 0

    def enter(self, part: str) -> None:
        """Mark the start of a module call, which can be nested."""
        if self._depth == 0:
            self._part, self._place = part, 0
            self.__enter__()  # type: ignore[no-untyped-call]
        self._depth += 1

    def leave(self) -> None:
        """Mark the end of a module call, after an exception as well."""
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
        """Round per output channel. The BatchNorm need not be folded first: it scales weight and step size alike."""
        if not self.rounds:
            return weight
        scale = weight.detach().abs().amax([each for each in range(4) if each != axis]).clamp_min(1e-12) / 127
        return torch.fake_quantize_per_channel_affine(weight, scale, torch.zeros_like(scale).int(), axis, -127, 127)

    def _activation(self, x: Tensor) -> Tensor:
        """Update the range of an activation and round it."""
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
