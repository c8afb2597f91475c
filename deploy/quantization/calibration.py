"""Calibration images and activation ranges. Imports torch only if a data module is used."""

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

from deploy.inference.images import spread, to_input
from lightning_app.image_files import CorruptFrameError, find_images, read_image

Method: TypeAlias = Literal["minmax", "percentile", "entropy"]
Input: TypeAlias = NDArray[np.float32]

QUANTIZED = sorted({*QLinearOpsRegistry, *QDQRegistry})  # operators that can be quantized
JUDGED = 8  # largest number of held-out images; at most a quarter of all images is held out
_METHODS: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"percentile": 99.999, "symmetric": False}),
    # ONNX Runtime's defaults. More bins clip far too much of a depth network's activations.
    "entropy": (CalibrationMethod.Entropy, {"num_bins": 128, "symmetric": False}),
}


class Images(NamedTuple):
    """Images as network inputs, RGB in [0, 1], (1, 3, height, width) each.

    Attributes:
        calibrate: images for the activation ranges.
        judge: held-out images for the evaluation of the result; the calibration images if there are too few.
        source: name of the folder or the readers.
    """

    calibrate: list[Input]
    judge: list[Input]
    source: str

    def __str__(self) -> str:
        judged = f"{len(self.judge)} held-out images" if self.judge is not self.calibrate else "the same images"
        return f"calibrated on {len(self.calibrate)} images of {self.source}, evaluated on {judged}"


def read_images(
    folder: Path | None, data: Sequence[Path], size: tuple[int, int], number: int, skip_corrupt: bool = False
) -> Images:
    """Read calibration images from a folder, or from the training split if ``folder`` is None.

    Args and exceptions are those of :func:`folder_images` and :func:`training_images`.

    Raises:
        ValueError: neither ``folder`` nor ``data`` is given.
    """
    if folder is not None:
        return folder_images(folder, size, number, skip_corrupt)
    if not data:
        raise ValueError("no calibration images: give a folder of images, or --data with an experiment's YAML")
    return training_images(data, size, number, skip_corrupt)


def folder_images(folder: Path, size: tuple[int, int], number: int, skip_corrupt: bool = False) -> Images:
    """Read evenly spaced images of a folder into memory, 1.5 MB each at 192x640.

    Args:
        folder: folder of images.
        size: (height, width) of the network's input.
        number: largest number of calibration images.
        skip_corrupt: report and skip corrupt images.

    Raises:
        FileNotFoundError: the folder is missing or contains no image.
        RuntimeError: an image is corrupt and ``skip_corrupt`` is False, or all images are corrupt.
    """
    paths = find_images(folder)
    return _images(paths, read_image, size, number, skip_corrupt, str(folder))


def training_images(data: Sequence[Path], size: tuple[int, int], number: int, skip_corrupt: bool = False) -> Images:
    """Read evenly spaced images of an experiment's training split into memory, without augmentation.

    Args:
        data: YAMLs with a ``data`` section; later files override earlier ones.
        size: (height, width) of the network's input.
        number: largest number of calibration images.
        skip_corrupt: report and skip corrupt frames.

    Raises:
        FileNotFoundError: a YAML or the data is missing.
        ValueError: the data section is invalid or names no reader under ``train``.
        RuntimeError: a frame is corrupt and ``skip_corrupt`` is False, or all frames are corrupt.
    """
    from lightning_app.config import read_data_module  # imports torch

    readers = read_data_module(data).train
    if not readers:
        raise ValueError(f"{', '.join(map(str, data))}: the data section names no reader under train")
    return _frames(readers, size, number, skip_corrupt)


def validation_inputs(data: Sequence[Path], size: tuple[int, int], number: int = JUDGED) -> list[Input]:
    """Read evenly spaced images of an experiment's validation split. Raises the exceptions of ``training_images``."""
    from lightning_app.config import read_data_module  # imports torch
    from lightning_app.evaluation.evaluate import split_readers  # imports torch

    readers = split_readers(read_data_module(data), "val")
    return _frames(readers, size, number, skip_corrupt=False).calibrate


def ranges(
    prepared: onnx.ModelProto, inputs: Iterable[Input], method: Method = "minmax", title: str | None = "calibrate"
) -> TensorsData:
    """Compute the range of each activation of a model with one of ONNX Runtime's calibrators.

    Memory use does not depend on the number of images.

    Args:
        prepared: model from :func:`deploy.quantization.quantizer.prepared`.
        inputs: images, (1, 3, height, width) each.
        method: ``minmax`` uses the full range, ``percentile`` clips one value in 100,000, and ``entropy`` minimises the
            information loss of the histogram.
        title: title of the progress bar; None hides it.
    """
    kind, options = _METHODS[method]
    # The progress bar uses the real stdout; only the output of the calibrators is redirected.
    console = Console(file=sys.stdout)
    with TemporaryDirectory() as folder:
        model, augmented = Path(folder) / "model.onnx", Path(folder) / "augmented.onnx"
        onnx.save(prepared, model)
        calibrator = create_calibrator(model, QUANTIZED, str(augmented), kind, extra_options=options)
        for image in track(inputs, title, console=console) if title else inputs:
            with contextlib.redirect_stdout(io.StringIO()):
                calibrator.collect_data(_SingleFeed({prepared.graph.input[0].name: image}))
        with contextlib.redirect_stdout(io.StringIO()):
            found: TensorsData = calibrator.compute_data()
    return found


def _frames(readers: Sequence[Any], size: tuple[int, int], number: int, skip_corrupt: bool) -> Images:
    """Read images with the readers of a data module, whose package ``deploy`` does not import."""
    for reader in readers:
        reader.require_files()
    frames = [(reader, index) for reader in readers for index in range(len(reader))]

    def image(frame: tuple[Any, int]) -> NDArray[np.uint8]:
        reader, index = frame
        pixels: NDArray[np.uint8] = reader[index].image
        return pixels

    return _images(frames, image, size, number, skip_corrupt, " and ".join(map(str, readers)))


def _images(
    items: Sequence[Any],
    read: Callable[[Any], NDArray[np.uint8]],
    size: tuple[int, int],
    number: int,
    skip_corrupt: bool,
    source: str,
) -> Images:
    """Select held-out and calibration images, and read them."""
    held_out = spread(range(len(items)), min(JUDGED, len(items) // 4))
    rest = [index for index in range(len(items)) if index not in set(held_out)]
    chosen = spread(rest, number)

    def inputs(indices: list[int]) -> list[Input]:
        found = []
        for index in indices:
            try:
                found.append(to_input(read(items[index]), size))
            except CorruptFrameError as error:
                if not skip_corrupt:
                    raise
                print(f"skipped: {error}", file=sys.stderr)
        return found

    calibrate, judge = inputs(chosen), inputs(held_out)
    if not calibrate:
        raise RuntimeError(f"{source}: all {len(chosen)} calibration images are corrupt")
    return Images(calibrate, judge or calibrate, source)


class _SingleFeed(CalibrationDataReader):  # type: ignore[misc]
    """A reader of one input: the calibrators keep the activations of all inputs of one reader in memory."""

    def __init__(self, feed: dict[str, Input]) -> None:
        self.feeds = [feed]

    def get_next(self) -> dict[str, Input] | None:
        return self.feeds.pop() if self.feeds else None
