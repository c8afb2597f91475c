"""Teacher networks for distillation and pseudo labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deploy.inference.model_info import ModelInfo
from deploy.inference.onnx_network import first_line, open_session
from lightning_app.checkpoints import Checkpoint

_LARGEST_SCALE = 8.0


class Teacher(nn.Module):
    """A frozen teacher that predicts inverse depth up to scale and shift, in (0, 1], for images of any size.

    Checkpoints and ONNX files of PocketDepth contain all settings. A third-party ONNX file, such as MiDaS or Depth
    Anything V2, needs them as arguments; ``experiments/teachers/`` contains examples.

    Args:
        file: checkpoint (.ckpt), ONNX file (.onnx), or state dict of ``network``.
        network: torch network whose state dict is ``file``, given by its class_path.
        size: (height, width) of the network's input. Default: the size in the file.
        mean: mean of each channel of RGB in [0, 1], subtracted from the image.
        std: standard deviation of each channel; the centred image is divided by it.
        predicts: ``depth`` or ``inverse_depth``. Default: the value in the file.
        mirror: average with the prediction for the horizontally flipped image.
        scales: input scales relative to ``size``; predictions are averaged. A network with a fixed input size supports
            only the scale 1.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is not a supported network, or settings are missing or do not match the file.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        file: str,
        network: nn.Module | None = None,
        size: tuple[int, int] | None = None,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        predicts: Literal["depth", "inverse_depth"] | None = None,
        mirror: bool = False,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        self.file, self.mirror, self.scales = Path(file), mirror, tuple(scales)
        if not self.scales or not all(0 < scale <= _LARGEST_SCALE for scale in self.scales):
            raise ValueError(f"the scales of a teacher must be in (0, {_LARGEST_SCALE:g}], not {list(scales)}")
        self.network, own_size, own_predicts = _open(self.file, network)
        if size is None and own_size is None:
            raise ValueError(f"{file}: has no fixed input size; set size in a YAML as in experiments/teachers")
        if isinstance(self.network, _Onnx) and self.network.size is not None:
            if size is not None and tuple(size) != self.network.size:
                fixed, given = _format_size(self.network.size), _format_size(size)
                raise ValueError(f"{file}: its input size is {fixed} (height x width), not {given}; correct size")
            if self.scales != (1.0,):
                raise ValueError(f"{file}: its input size is fixed; use a checkpoint, or leave out scales")
        self.predicts = predicts or own_predicts
        if self.predicts not in ("depth", "inverse_depth"):
            raise ValueError(
                f"{file}: has no metadata about its output; set predicts to depth or inverse_depth in a YAML as in "
                "experiments/teachers"
            )
        self.size = tuple(size or own_size or ())
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Predict inverse depth in (0, 1], (B, 1, H, W), from RGB in [0, 1], (B, 3, H, W).

        Raises:
            RuntimeError: the output is not a single map with the image's aspect ratio, is not finite, or is depth that
                is not positive.
        """
        size = (image.shape[-2], image.shape[-1])
        views = [_resize(_standardise(view), size) for view in self._views(image)]
        inv_depth = torch.stack(views).mean(0)
        low, high = inv_depth.amin((1, 2, 3), keepdim=True), inv_depth.amax((1, 2, 3), keepdim=True)
        return ((inv_depth - low) / (high - low).clamp_min(1e-12)).clamp_min(2**-16)

    def fingerprint(self) -> dict[str, object]:
        """Return everything except the image that determines the labels."""
        return {
            "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
            "size": list(self.size),
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
            "predicts": self.predicts,
            "mirror": self.mirror,
            "scales": list(self.scales),
        }

    def _views(self, image: Tensor) -> Iterator[Tensor]:
        for scale in self.scales:
            size = self.size if scale == 1 else tuple(max(64, 64 * round(scale * side / 64)) for side in self.size)
            inputs = (_resize(image, (size[0], size[1])) - self.mean) / self.std
            yield self._predict(inputs)
            if self.mirror:
                yield self._predict(inputs.flip(-1)).flip(-1)

    def _predict(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.network(inputs).float()
        output = output[:, None] if output.ndim == 3 else output  # (B, 1, h, w)
        height, width = inputs.shape[-2:]
        one_map = output.ndim == 4 and output.shape[:2] == (len(inputs), 1)
        if not one_map or abs(output.shape[-1] / output.shape[-2] * height / width - 1) > 0.05:
            raise RuntimeError(
                f"{self.file}: its output for an image of {height}x{width} has shape {tuple(output.shape)}, "
                "which is not one map with the aspect ratio of the image"
            )
        if not output.isfinite().all():
            raise RuntimeError(f"{self.file}: its output contains values that are not finite")
        if self.predicts == "inverse_depth":
            return output
        if output.min() <= 0:
            raise RuntimeError(f"{self.file}: its output contains values that are not positive, so it is not depth")
        return 1 / output


class _Onnx(nn.Module):
    """An ONNX file with a batch size of 1.

    Attributes:
        size: (height, width) of the input; None if it is dynamic.
    """

    def __init__(self, path: Path, session: onnxruntime.InferenceSession) -> None:
        super().__init__()
        inputs = session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or (shape[1] != 3 and isinstance(shape[1], int)):
            raise ValueError(
                f"{path}: its inputs have the shapes {[each.shape for each in inputs]}, not (1, 3, height, width)"
            )
        self.path, self.session, self.input = path, session, inputs[0].name
        fixed = isinstance(shape[2], int) and isinstance(shape[3], int)
        self.size = (int(shape[2]), int(shape[3])) if fixed else None

    def forward(self, image: Tensor) -> Tensor:
        try:
            each = [self.session.run(None, {self.input: one[None].cpu().numpy()})[0] for one in image]
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            reason = first_line(error)
            raise RuntimeError(
                f"{self.path}: fails for an input of {_format_size(image.shape[-2:])} (height x width): {reason}"
            ) from error
        return torch.cat([torch.from_numpy(output) for output in each]).to(image.device)


def _open(path: Path, network: nn.Module | None) -> tuple[nn.Module, tuple[int, int] | None, str | None]:
    """Open a file. Returns the network and, if known, its input size and what it predicts."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such teacher file; give a .ckpt or .onnx file")
    if network is not None:
        try:
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # raised by torch.load, by pickle, or for keys that do not match
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{path}: not a state dict of {type(network).__name__} ({reason})") from error
        return network, None, getattr(network, "predicts", None)
    if path.suffix == ".ckpt":
        opened = Checkpoint.open(path)
        return opened.network, opened.size, opened.network.predicts
    if path.suffix == ".onnx":
        session = open_session(path)
        onnx, info = _Onnx(path, session), ModelInfo.from_metadata(session.get_modelmeta().custom_metadata_map, path)
        return onnx, onnx.size, info.predicts
    raise ValueError(f"{path}: a teacher is a checkpoint (.ckpt) or an ONNX file (.onnx); set network for a state dict")


def _standardise(inv_depth: Tensor) -> Tensor:
    """Subtract the median and divide by the mean absolute deviation, so that views can be averaged."""
    flat = inv_depth.flatten(1)
    centred = flat - flat.median(1, keepdim=True).values
    return (centred / centred.abs().mean(1, keepdim=True).clamp_min(1e-12)).view_as(inv_depth)


def _resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize with antialiasing. Evaluation and ``deploy.load`` resize inverse depth without it."""
    return F.interpolate(values, size, mode="bilinear", antialias=True, align_corners=False)


def _format_size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
