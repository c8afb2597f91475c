"""LiteRT files (.tflite). Does not import torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo
from deploy.inference.model_info import read_metadata as parse_metadata
from deploy.inference.network import Network
from deploy.inference.optional_packages import quiet, require

METADATA = "pocketdepth"  # the name of our metadata entry


class LiteRtNetwork(Network):
    """A depth network in a LiteRT file written by ``pocketdepth convert --to litert``.

    Args:
        path: the .tflite file.
        threads: number of threads. Default: chosen by LiteRT.

    Raises:
        ImportError: LiteRT is not installed.
        FileNotFoundError: the file is missing.
        ValueError: the file is invalid or was not written by PocketDepth.
    """

    runtime = "litert"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        interpreter = require("ai_edge_litert.interpreter", "litert").Interpreter
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such LiteRT file")
        self.path, self.threads = path, threads
        self.info = ModelInfo.from_metadata(read_metadata(path), path)
        try:
            with quiet():
                self.interpreter = interpreter(model_path=str(path), num_threads=threads)
                self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{path}: LiteRT cannot open it ({' '.join(str(error).split())})") from error
        self.input, self.output = (
            side[0]["index"] for side in (self.interpreter.get_input_details(), self.interpreter.get_output_details())
        )
        _, height, width, _ = self.interpreter.get_input_details()[0]["shape"]
        self.size = (int(height), int(width))

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict from RGB in [0, 1], (1, 3, height, width). Returns depth or inverse depth, (1, 1, h, w)."""
        channels_last = cv2.merge(list(image[0]))[None]  # (1, height, width, 3), several times faster than NumPy's copy
        self.interpreter.set_tensor(self.input, channels_last)
        self.interpreter.invoke()
        return cast(NDArray[np.float32], self.interpreter.get_tensor(self.output).transpose(0, 3, 1, 2))  # (1, 1, h, w)


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a LiteRT file.

    Raises:
        ValueError: the file is corrupt or was not written by ``pocketdepth convert --to litert``.
    """
    content = path.read_bytes()
    if content[4:8] == b"TFL3":
        try:
            entries = _schema().ModelT.InitFromPackedBuf(content).metadata or []
            ours = [_buffer(content, each.buffer) for each in entries if each.name.decode() == METADATA]
        except Exception as error:  # a truncated flatbuffer can raise many exception types
            raise ValueError(f"{path}: corrupt LiteRT file ({type(error).__name__})") from error
        if ours:
            return parse_metadata(ours[0], path)
    raise ValueError(f"{path}: not a LiteRT file written by `pocketdepth convert --to litert`")


def add_metadata(content: bytes, metadata: dict[str, str]) -> bytes:
    """Add metadata to the content of a LiteRT file."""
    schema, utils = _schema(), require("ai_edge_litert.tools.flatbuffer_utils", "litert")
    model = utils.read_model_from_bytearray(content)
    for each in model.buffers:  # an array is written at once, a list byte by byte
        each.data = None if each.data is None else np.frombuffer(each.data, np.uint8)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(utils.convert_object_to_bytearray(model))


def _buffer(content: bytes, index: int) -> bytes:
    return bytes(_schema().Model.GetRootAs(content).Buffers(index).DataAsNumpy())


def _schema() -> Any:
    return require("ai_edge_litert.schema_py_generated", "litert")
