"""Names of the evaluation protocols, which are defined in ``lightning_app.evaluation.protocols`` with torch."""

from __future__ import annotations

from difflib import get_close_matches

PROTOCOL_NAMES = (
    *("kitti-eigen", "kitti-eigen-metric", "kitti-paper", "kitti-eigen-improved", "kitti-bts"),
    *("nyu-eigen", "nyu-eigen-ls", "nyu-paper", "make3d-c1", "diw"),
    *("edges-rendered", "edges-kinect"),
)


def require_protocol(name: str) -> None:
    """Raise ValueError if there is no protocol of this name."""
    if name not in PROTOCOL_NAMES:
        close = get_close_matches(name, PROTOCOL_NAMES, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"no protocol {name!r}; {meant}there are {', '.join(PROTOCOL_NAMES)}")
