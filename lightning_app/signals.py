"""Signals that end a process, and processes that end with the one that started them. Imports no torch."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_PARENT = "POCKETDEPTH_PARENT"  # passes the ID of the process to the one that it starts
_ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Exit on SIGTERM and SIGHUP like on an exception, with status 128 + signal.

    What must end with the process (files that are half written, subprocesses) is then cleaned up. A signal that is
    ignored (``nohup``) stays ignored.
    """
    owner = os.getpid()

    def leave(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked process, such as a loader's worker, ends at once
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise SystemExit(128 + number)

    former = {each: signal.getsignal(each) for each in _ENDS}
    for each, handler in former.items():
        if handler is signal.SIG_DFL:
            signal.signal(each, leave)
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


def ending_with_this() -> dict[str, str]:
    """Environment of a process that calls :func:`end_with_parent`."""
    return os.environ | {_PARENT: str(os.getpid())}


def end_with_parent() -> None:
    """Send SIGTERM to this process when the process that started it has ended, however it ended.

    Without effect unless that process passed the environment of :func:`ending_with_this`.
    """
    parent = os.environ.pop(_PARENT, None)  # not for the processes that this one starts
    if parent is not None:
        threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
