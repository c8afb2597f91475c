"""Writing of checkpoints."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from lightning_app.files import atomic_write


class CheckpointFiles(TorchCheckpointIO):
    """Writes each checkpoint atomically, in its own folder; Lightning goes by way of the system's temporary one.

    An error of the disk names the checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint; raises OSError like :func:`lightning_app.files.atomic_write`."""
        buffer = io.BytesIO()  # torch's own errors of a full disk do not name their cause
        torch.save(checkpoint, buffer)
        with atomic_write(Path(path)) as temporary:
            temporary.write_bytes(buffer.getbuffer())
