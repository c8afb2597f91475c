"""What a file costs when an app opens it: time to load, first run and memory, each in a process of its own. No torch.

``python -m deploy.measure.fresh_process FILE --threads N`` prints one such measurement as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from deploy.inference.load import load_network

PROCESSES = 3  # of each file: one start alone says little
RUNS = 3  # in each process: memory can still grow in the second


@dataclass(frozen=True)
class Start:
    """A file's first moments.

    Attributes:
        load_ms: to open it, without the import of its runtime.
        first_ms: the first run.
        memory_mb: the process's peak of resident memory until the third run, in 10^6 bytes, less what it held with its
            runtime imported and no file opened.
    """

    load_ms: float
    first_ms: float
    memory_mb: float


def start(path: Path, threads: int) -> Start:
    """The medians over a few processes, one after another.

    Raises:
        RuntimeError: a process failed.
    """
    command = [sys.executable, "-m", "deploy.measure.fresh_process", str(path.resolve()), "--threads", str(threads)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # a user's own network is found there, too
    starts = []
    for _ in range(PROCESSES):
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=environment, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            raise RuntimeError(f"{path}: failed in a process of its own ({reason})")
        starts.append(Start(**json.loads(done.stdout.splitlines()[-1])))
    return Start(*(median(getattr(each, name) for each in starts) for name in Start.__dataclass_fields__))


def measure_here(path: Path, threads: int) -> Start:
    """Measure in this process, which must be a fresh one."""
    with contextlib.suppress(FileNotFoundError):
        load_network(path.with_name(f"absent{path.suffix}"), threads)  # imports the runtime, and nothing more
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak of the imports
    empty = _peak_bytes()
    begin = time.perf_counter()
    network = load_network(path, threads)
    opened = time.perf_counter()
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    ready = time.perf_counter()
    network(image)
    done = time.perf_counter()
    for _ in range(RUNS - 1):
        network(image)
    return Start((opened - begin) * 1e3, (done - ready) * 1e3, (_peak_bytes() - empty) / 1e6)


def _peak_bytes() -> int:
    """The most that this process has held in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory too
        return 1024 * next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(json.dumps(asdict(measure_here(arguments.file, arguments.threads))))
