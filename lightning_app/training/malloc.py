"""Settings of the memory allocator."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Keep freed memory in the process (glibc only).

    By default glibc returns the memory of large tensors to the system, which has to clear the pages again at the next
    step. This takes a quarter of a training step of ``base.yaml`` on a CPU.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "gnu_get_libc_version"):
        for parameter, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 2**28)):
            library.mallopt(parameter, value)
