"""What the C library does with the memory that a training step frees."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Keep what is freed for the next step: glibc gives large tensors back to the system, which clears every page of
    them again at the next step: a quarter of a step of base on a CPU. Does nothing with another C library.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "gnu_get_libc_version"):
        for parameter, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 2**28)):
            library.mallopt(parameter, value)
