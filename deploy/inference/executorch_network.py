"""ExecuTorch files (.pte). This module does not import torch, but ExecuTorch's Python runtime does."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo, read_metadata
from deploy.inference.network import Network
from deploy.inference.optional_packages import quiet, require

METADATA = "pocketdepth"  # the name of the method that returns the metadata


class ExecuTorchNetwork(Network):
    """A depth network in an ExecuTorch file written by ``pocketdepth convert --to executorch``.

    Args:
        path: the .pte file.
        threads: number of threads, shared by all ExecuTorch files in this process. Default: chosen by ExecuTorch.

    Raises:
        ImportError: ExecuTorch is not installed.
        FileNotFoundError: the file is missing.
        ValueError: the file is invalid or was not written by PocketDepth.
    """

    runtime = "executorch"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        runtime = require("executorch.runtime", "executorch").Runtime
        library = require("executorch.extension.pybindings.portable_lib", "executorch")
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such ExecuTorch file")
        self.path, self.threads = path, threads
        try:
            with quiet():
                if threads is not None:
                    library._unsafe_reset_threadpool(threads)
                program = runtime.get().load_program(path)
                ours = METADATA in program.method_names
                metadata = program.load_method(METADATA).execute([])[0] if ours else "{}"
                self.method = program.load_method("forward")
        except RuntimeError as error:
            raise ValueError(f"{path}: ExecuTorch cannot open it ({' '.join(str(error).split())})") from error
        if not ours:
            raise ValueError(f"{path}: not written by `pocketdepth convert --to executorch`")
        self.info = ModelInfo.from_metadata(read_metadata(metadata, path), path)
        _, _, height, width = self.method.metadata.input_tensor_meta(0).sizes()
        self.size = (int(height), int(width))

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict from RGB in [0, 1], (1, 3, height, width). Returns depth or inverse depth, (1, 1, h, w)."""
        from torch import from_numpy  # the runtime has already imported torch

        return cast(NDArray[np.float32], self.method.execute([from_numpy(image)])[0].numpy().copy())
