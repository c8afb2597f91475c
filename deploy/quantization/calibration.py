"""What an int8 file is calibrated on: images, and the ranges of activations on them. Imports torch for a data module
alone."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData, create_calibrator
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
from rich.console import Console
from rich.progress import track

from deploy.inference.images import find_images, read_image, spread, to_input

Method: TypeAlias = Literal["minmax", "percentile", "entropy"]
Input: TypeAlias = NDArray[np.float32]

QUANTIZED = sorted({*QLinearOpsRegistry, *QDQRegistry})  # operators that have an int8 form
JUDGED = 8  # images that are kept back, if there are four times as many
_METHODS: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"percentile": 99.999, "symmetric": False}),
    # As ONNX Runtime sets it: with more bins it cuts off far too much of a depth network's activations.
    "entropy": (CalibrationMethod.Entropy, {"num_bins": 128, "symmetric": False}),
}


class Images(NamedTuple):
    """Images as a network takes them, RGB in [0, 1], (1, 3, height, width) each.

    Attributes:
        calibrate: whose ranges are taken.
        judge: by which the result is judged: others than these where there are enough, or the same.
        source: where they come from.
    """

    calibrate: list[Input]
    judge: list[Input]
    source: str

    def __str__(self) -> str:
        apart = f"judged by {len(self.judge)} others" if self.judge is not self.calibrate else "judged by the same"
        return f"calibrated on {len(self.calibrate)} images of {self.source}, {apart}"


def read_images(
    folder: Path | None, data: Sequence[Path], size: tuple[int, int], number: int, skip_corrupt: bool = False
) -> Images:
    """``folder_images`` where there is a folder, ``training_images`` else; raises ValueError where there is neither."""
    if folder is not None:
        return folder_images(folder, size, number, skip_corrupt)
    if not data:
        raise ValueError("nothing to calibrate on: give a folder of images, or --data with an experiment's YAML")
    return training_images(data, size, number, skip_corrupt)


def folder_images(folder: Path, size: tuple[int, int], number: int, skip_corrupt: bool = False) -> Images:
    """Images spread evenly over a folder; all are kept in memory, 1.5 MB each at 192x640.

    Args:
        folder: of images.
        size: (height, width) of the network.
        number: how many to calibrate on at most.
        skip_corrupt: report corrupt images and go on.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        OSError: a corrupt image, unless ``skip_corrupt``.
        RuntimeError: all are corrupt.
    """
    paths = find_images(folder)
    return _images(paths, read_image, size, number, skip_corrupt, str(folder))


def training_images(data: Sequence[Path], size: tuple[int, int], number: int, skip_corrupt: bool = False) -> Images:
    """Images spread evenly over the training frames of an experiment, as they lie on disk; else as ``folder_images``.

    Args:
        data: YAMLs with a ``data`` section, the later wins.
        size: (height, width) of the network.
        number: how many to calibrate on at most.
        skip_corrupt: report corrupt frames and go on.

    Raises:
        FileNotFoundError: no such YAML or data.
        ValueError: a data section that does not fit, or that names no reader under ``train``.
        RuntimeError: a corrupt frame, unless ``skip_corrupt``; or all are corrupt.
    """
    from lightning_app.config import read_data_module  # imports torch

    readers = read_data_module(data).train
    if not readers:
        raise ValueError(f"{', '.join(map(str, data))}: the data section names no reader under train")
    return _frames(readers, size, number, skip_corrupt)


def validation_inputs(data: Sequence[Path], size: tuple[int, int], number: int = JUDGED) -> list[Input]:
    """Images spread evenly over the ``val`` frames of an experiment; raises as ``training_images`` does."""
    from lightning_app.config import read_data_module  # imports torch
    from lightning_app.evaluation.evaluate import split_readers  # imports torch

    readers = split_readers(read_data_module(data), "val")
    return _frames(readers, size, number, skip_corrupt=False).calibrate


def ranges(
    prepared: onnx.ModelProto, inputs: Iterable[Input], method: Method = "minmax", title: str | None = "calibrate"
) -> TensorsData:
    """The range of each activation of a model, by one of ONNX Runtime's calibrators.

    ``minmax`` takes the whole range, ``percentile`` cuts off one value in 100,000, ``entropy`` cuts where the
    histogram keeps most information. Memory does not grow with the number of images. ``title`` is that of a progress
    bar, if there shall be one.
    """
    kind, options = _METHODS[method]
    # Bound to the real stdout: the calibrators' own chatter is kept from it.
    console = Console(file=sys.stdout)
    with TemporaryDirectory() as folder:
        model, augmented = Path(folder) / "model.onnx", Path(folder) / "augmented.onnx"
        onnx.save(prepared, model)
        calibrator = create_calibrator(model, QUANTIZED, str(augmented), kind, extra_options=options)
        for image in track(inputs, title, console=console) if title else inputs:
            with contextlib.redirect_stdout(io.StringIO()):
                calibrator.collect_data(_One({prepared.graph.input[0].name: image}))
        with contextlib.redirect_stdout(io.StringIO()):
            found: TensorsData = calibrator.compute_data()
    return found


def _frames(readers: Sequence[Any], size: tuple[int, int], number: int, skip_corrupt: bool) -> Images:
    """Of the readers of a data module, a package that ``deploy`` does not know."""
    for reader in readers:
        reader.require_files()
    entries = [(reader, entry) for reader in readers for entry in reader.entries]

    def image(pair: tuple[Any, Any]) -> NDArray[np.uint8]:
        reader, entry = pair
        pixels: NDArray[np.uint8] = reader.read(entry).image
        return pixels

    return _images(entries, image, size, number, skip_corrupt, " and ".join(map(str, readers)))


def _images(
    items: Sequence[Any],
    read: Callable[[Any], NDArray[np.uint8]],
    size: tuple[int, int],
    number: int,
    skip_corrupt: bool,
    source: str,
) -> Images:
    kept_back = spread(range(len(items)), min(JUDGED, len(items) // 4))
    rest = [index for index in range(len(items)) if index not in set(kept_back)]
    chosen = spread(rest, number)

    def inputs(indices: list[int]) -> list[Input]:
        found = []
        for index in indices:
            try:
                found.append(to_input(read(items[index]), size))
            except (OSError, RuntimeError) as error:  # an image, or a reader's CorruptFrameError
                if not skip_corrupt:
                    raise
                print(f"skipped: {error}", file=sys.stderr)
        return found

    calibrate, judge = inputs(chosen), inputs(kept_back)
    if not calibrate:
        raise RuntimeError(f"{source}: all {len(chosen)} images to calibrate on are corrupt")
    return Images(calibrate, judge or calibrate, source)


class _One(CalibrationDataReader):  # type: ignore[misc]
    """A single feed: the calibrators keep all activations of what they are given at once."""

    def __init__(self, feed: dict[str, Input]) -> None:
        self.feeds = [feed]

    def get_next(self) -> dict[str, Input] | None:
        return self.feeds.pop() if self.feeds else None
