"""A teacher: any network whose inverse depth, up to scale and shift, another one learns."""

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
from deploy.inference.onnx_network import open_session
from lightning_app.checkpoints import Checkpoint


class Teacher(nn.Module):
    """Images of any size -> inverse depth up to scale and shift, in (0, 1].

    A checkpoint and an ONNX file of PocketDepth say themselves what they take and predict. Of another ONNX file, such
    as MiDaS or Depth Anything V2, it is said here: ``experiments/teachers/`` holds such settings.

    Args:
        file: a checkpoint (.ckpt) or an ONNX file (.onnx); or the state dict of ``network``.
        network: a torch network that has no file format of its own, by its class_path.
        size: (height, width) that it takes; the file's own if left out.
        mean: what is taken off each channel of RGB in [0, 1].
        std: what each channel is then divided by.
        predicts: ``depth`` or ``inverse_depth``; the file's own if left out.
        mirror: average with what it says of the mirrored image.
        scales: of ``size``, over which is averaged; a network of a fixed size knows but one.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no such network, or that does not say what it takes or predicts.
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
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales {list(scales)} of a teacher must be above 0")
        self.network, own_size, own_predicts = _open(self.file, network)
        if size is None and own_size is None:
            raise ValueError(f"{file}: takes images of any size; say which, by a YAML in experiments/teachers")
        if isinstance(self.network, _Onnx) and self.network.size is not None:
            if size is not None and tuple(size) != self.network.size:
                raise ValueError(f"{file}: takes {_x(self.network.size)} (height x width), its settings say {_x(size)}")
            if self.scales != (1.0,):
                raise ValueError(f"{file}: takes {_x(self.network.size)} alone; scales need a checkpoint")
        self.predicts = predicts or own_predicts
        if self.predicts not in ("depth", "inverse_depth"):
            raise ValueError(
                f"{file}: does not say whether it predicts depth or inverse depth; say it by a YAML as in "
                "experiments/teachers"
            )
        self.size = tuple(size or own_size or ())
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], (B, 3, H, W) -> inverse depth in (0, 1], (B, 1, H, W).

        Raises:
            RuntimeError: an output that is not one map of the image, not finite, or, as depth, not positive.
        """
        size = (image.shape[-2], image.shape[-1])
        views = [_resize(_standardised(view), size) for view in self._views(image)]
        inv_depth = torch.stack(views).mean(0)
        low, high = inv_depth.amin((1, 2, 3), keepdim=True), inv_depth.amax((1, 2, 3), keepdim=True)
        return ((inv_depth - low) / (high - low).clamp_min(1e-12)).clamp_min(2**-16)

    def fingerprint(self) -> dict[str, object]:
        """All that its labels depend on beside the image."""
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
            taken = (_resize(image, (size[0], size[1])) - self.mean) / self.std
            yield self._ask(taken)
            if self.mirror:
                yield self._ask(taken.flip(-1)).flip(-1)

    def _ask(self, taken: Tensor) -> Tensor:
        output: Tensor = self.network(taken).float()
        output = output[:, None] if output.ndim == 3 else output
        height, width = taken.shape[-2:]
        one_map = output.ndim == 4 and output.shape[:2] == (len(taken), 1)
        if not one_map or abs(output.shape[-1] / output.shape[-2] * height / width - 1) > 0.05:
            raise RuntimeError(
                f"{self.file}: gives {tuple(output.shape)} for an image of {height}x{width}, not one map of its shape"
            )
        if not output.isfinite().all():
            raise RuntimeError(f"{self.file}: gives values that are not finite")
        if self.predicts == "inverse_depth":
            return output
        if output.min() <= 0:
            raise RuntimeError(f"{self.file}: gives values that are not positive, so it does not predict depth")
        return 1 / output


class _Onnx(nn.Module):
    """An ONNX file that takes one image at a time.

    Attributes:
        size: (height, width) that it takes; None where it takes any.
    """

    def __init__(self, path: Path, session: onnxruntime.InferenceSession) -> None:
        super().__init__()
        inputs = session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or (shape[1] != 3 and isinstance(shape[1], int)):
            raise ValueError(
                f"{path}: its input is {[each.shape for each in inputs]}, not images (1, 3, height, width)"
            )
        self.path, self.session, self.input = path, session, inputs[0].name
        fixed = isinstance(shape[2], int) and isinstance(shape[3], int)
        self.size = (int(shape[2]), int(shape[3])) if fixed else None

    def forward(self, image: Tensor) -> Tensor:
        try:
            each = [self.session.run(None, {self.input: one[None].cpu().numpy()})[0] for one in image]
        except Exception as error:  # onnxruntime's own exceptions share no public base
            reason = str(error).splitlines()[0]
            raise RuntimeError(
                f"{self.path}: does not take {_x(image.shape[-2:])} (height x width): {reason}"
            ) from error
        return torch.cat([torch.from_numpy(output) for output in each]).to(image.device)


def _open(path: Path, network: nn.Module | None) -> tuple[nn.Module, tuple[int, int] | None, str | None]:
    """The network of a file, and the size and the kind that the file says, if it does."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such teacher; give a .ckpt or .onnx file")
    if network is not None:
        try:
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # of torch's reader, of pickle, or of keys that do not fit
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{path}: no weights of {type(network).__name__} ({reason})") from error
        return network, None, getattr(network, "predicts", None)
    if path.suffix == ".ckpt":
        opened = Checkpoint.open(path)
        return opened.network, opened.size, opened.network.predicts
    if path.suffix == ".onnx":
        session = open_session(path)
        onnx, info = _Onnx(path, session), ModelInfo.from_metadata(session.get_modelmeta().custom_metadata_map, path)
        return onnx, onnx.size, info.predicts
    raise ValueError(f"{path}: a teacher is a checkpoint (.ckpt), an ONNX file (.onnx), or named by its network")


def _standardised(inv_depth: Tensor) -> Tensor:
    """Less its median, over its mean distance from it: views of unknown scale and shift can be averaged."""
    flat = inv_depth.flatten(1)
    centred = flat - flat.median(1, keepdim=True).values
    return (centred / centred.abs().mean(1, keepdim=True).clamp_min(1e-12)).view_as(inv_depth)


def _resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Antialiased, of images above all: not the resize of inverse depth that evaluation and ``deploy.load`` share."""
    return F.interpolate(values, size, mode="bilinear", antialias=True, align_corners=False)


def _x(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
