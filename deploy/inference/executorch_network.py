"""ExecuTorch files (.pte). ExecuTorch's own Python runtime imports torch, this file does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deploy.inference.model_info import ModelInfo
from deploy.inference.network import Network
from deploy.inference.optional_packages import quiet, require

METADATA = "pocketdepth"  # the name of the method that gives what the file says of itself


class ExecuTorchNetwork(Network):
    """A file that ``pocketdepth convert executorch`` wrote.

    Args:
        path: the file.
        threads: of ExecuTorch, for all its files in this process; its own choice if left out.

    Raises:
        ImportError: ExecuTorch is not installed.
        FileNotFoundError: no such file.
        ValueError: not such a file.
    """

    runtime = "executorch"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        runtime = require("executorch.runtime", "executorch").Runtime
        library = require("executorch.extension.pybindings.portable_lib", "executorch")
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such ExecuTorch file")
        self.path = path
        try:
            with quiet():
                if threads is not None:
                    library._unsafe_reset_threadpool(threads)
                program = runtime.get().load_program(path)
                ours = METADATA in program.method_names
                says = program.load_method(METADATA).execute([])[0] if ours else "{}"
                self.method = program.load_method("forward")
        except RuntimeError as error:
            raise ValueError(f"{path}: ExecuTorch cannot open it ({' '.join(str(error).split())})") from error
        if not ours:
            raise ValueError(f"{path}: not an ExecuTorch file of `pocketdepth convert executorch`")
        self.info = ModelInfo.from_metadata(json.loads(says), path)
        _, _, height, width = self.method.metadata.input_tensor_meta(0).sizes()
        self.size = (int(height), int(width))

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """RGB in [0, 1], (1, 3, height, width) -> depth in metres, (1, 1, h, w)."""
        from torch import from_numpy  # imported by the runtime already

        return cast(NDArray[np.float32], self.method.execute([from_numpy(image)])[0].numpy().copy())
