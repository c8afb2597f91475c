"""SIGTERM, which ``kill``, Slurm and containers send to end a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pytorch_lightning.utilities.exceptions import SIGTERMException

_STATUS = 128 + signal.SIGTERM


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """End a run on SIGTERM, with exit status 143. If it has started, it saves ``last.ckpt`` after its batch."""
    former = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    except SIGTERMException as error:  # Lightning's, whose exit status would be 0
        raise SystemExit(_STATUS) from error
    finally:
        signal.signal(signal.SIGTERM, former)


def _exit(number: int, frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGTERM) is _exit:  # Lightning's handler, which ends the loops, calls this one, too
        raise SystemExit(_STATUS)
